/* SPDX-License-Identifier: MIT */
/* Cleans text that comes from outside: workers' status, file names, last output lines. Pure. */
#ifndef STICKY_COMMON_SANITIZE_H
#define STICKY_COMMON_SANITIZE_H

#include <stddef.h>

#define TEXT_UTF8_GROWTH 3 /* text_to_utf8() makes a text at most so many times longer */

/*
 * Make a text fit for a terminal and for JSON, in place. These bytes become '?': those of a control
 * character, of a character that hides others or changes their direction, and of a sequence that is
 * cut off at the end, and bytes that are not UTF-8. Line ends stay.
 */
void text_clean(char *text);

/* The same for a text that must stay one line: line ends become '?', too. */
void text_clean_line(char *text);

/*
 * The same for a value that stands in double quotes in the log: '"' would end the value, and
 * becomes '\''.
 */
void text_clean_value(char *text);

/*
 * Copy bytes, with U+FFFD in the place of each byte that is no UTF-8. All other bytes stay,
 * controls and NUL among them.
 *
 * ret_text  with room for length * TEXT_UTF8_GROWTH + 1 bytes; ends with a NUL, too
 *
 * Returns the length of the copy.
 */
size_t text_to_utf8(const char *bytes, size_t length, char *ret_text);

#endif
