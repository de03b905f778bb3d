// SPDX-License-Identifier: MIT
/*
 * An --env-file with any content. Names and values lie inside of the text, names are well formed,
 * and a problem has the number of a line of the text.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc \
 *     tests/fuzz/fuzz_env_file.c src/process/env_file.c
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/env_file.h"

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct text {
	const char *begin, *end;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *context, const char *name, const char *value)
{
	const struct text *text = context;

	check(name >= text->begin && name + strlen(name) <= text->end);
	check(value >= text->begin && value + strlen(value) <= text->end);
	check(*name && !strpbrk(name, "= \t\n'\""));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env_file_problem problem;
	struct text bounds;
	size_t lines = 1, i;
	char *text = malloc(size + 1);
	int error;

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	for (i = 0; i < size; i++)
		lines += data[i] == '\n';
	bounds = (struct text){text, text + size};
	error = env_file_parse(text, size, take, &bounds, &problem);
	check(error == 0 || error == -EINVAL);
	check((error == 0) == (problem.what == NULL));
	check(!problem.what || (problem.line >= 1 && problem.line <= lines));
	free(text);
	return 0;
}
