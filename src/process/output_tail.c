// SPDX-License-Identifier: MIT
#include "process/output_tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_SIZE 2048

struct output_tail {
	size_t length; /* number of bytes that were ever written */
	char bytes[TAIL_SIZE];
};

int output_tail_open(struct output_tail **ret_tail)
{
	*ret_tail = calloc(1, sizeof(**ret_tail));
	return *ret_tail ? 0 : -ENOMEM;
}

void output_tail_close(struct output_tail *tail)
{
	free(tail);
}

void output_tail_add(struct output_tail *tail, const char *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		tail->bytes[tail->length++ % TAIL_SIZE] = bytes[i];
}

void output_tail_read(const struct output_tail *tail, size_t size, char *ret_text)
{
	/*
	 * One byte of the buffer is not copied: the byte in front of the copied ones tells whether
	 * they begin with a whole line.
	 */
	size_t kept = tail->length < TAIL_SIZE ? tail->length : TAIL_SIZE - 1;
	size_t wanted = kept < size - 1 ? kept : size - 1;
	size_t start = tail->length - wanted, i;
	char *line_end;

	for (i = 0; i < wanted; i++)
		ret_text[i] = tail->bytes[(start + i) % TAIL_SIZE];
	ret_text[wanted] = '\0';
	if (start == 0 || tail->bytes[(start - 1) % TAIL_SIZE] == '\n')
		return;
	/*
	 * The text begins in the middle of a line. That part is left out if another line follows.
	 */
	line_end = strchr(ret_text, '\n');
	if (line_end && line_end[1])
		memmove(ret_text, line_end + 1, strlen(line_end + 1) + 1);
}
