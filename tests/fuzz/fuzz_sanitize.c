// SPDX-License-Identifier: MIT
/*
 * Text that a worker sent. Cleaning it does not change its length. The result is UTF-8 that jansson
 * accepts. It has no character that is invisible or changes the direction of text. Cleaning it
 * again does not change it.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc \
 *     tests/fuzz/fuzz_sanitize.c src/common/sanitize.c -ljansson
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/sanitize.h"

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* some of the characters that must be removed, as UTF-8 */
static const char *const hidden[] = {
	"\xc2\x9b",	"\xd8\x9c",	"\xe2\x80\x8b",	    "\xe2\x80\x8e",
	"\xe2\x80\x8f", "\xe2\x80\xaa", "\xe2\x80\xae",	    "\xe2\x81\xa6",
	"\xe2\x81\xa9", "\xef\xbb\xbf", "\xf3\xa0\x80\x81", "\xf3\xa0\x81\xbf",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t length)
{
	json_t *string = json_string(text);
	size_t i;

	check(strlen(text) == length && string);
	for (i = 0; i < length; i++)
		check(((unsigned char)text[i] >= 0x20 && text[i] != 0x7f) || text[i] == '\n');
	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		check(!strstr(text, hidden[i]));
	json_decref(string);
}

/* Check that the bytes of a worker's line, also NUL bytes, become a string that jansson accepts. */
static void check_utf8(const char *bytes, size_t size)
{
	char *text = malloc(size * TEXT_UTF8_GROWTH + 1);
	size_t length;
	json_t *string;

	check(text);
	length = text_to_utf8(bytes, size, text);
	check(length >= size && length <= size * TEXT_UTF8_GROWTH && !text[length]);
	string = json_stringn(text, length);
	check(string);
	json_decref(string);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *again;
	size_t length;

	check(text);
	check_utf8((const char *)data, size);
	memcpy(text, data, size);
	text[size] = '\0';
	length = strlen(text);
	text_clean(text);
	check_text(text, length);
	again = strdup(text);
	check(again);
	text_clean(again);
	check(!strcmp(text, again));
	text_clean_line(again);
	check_text(again, length);
	check(!strchr(again, '\n'));
	free(again);
	free(text);
	return 0;
}
