/* SPDX-License-Identifier: MIT */
/* Cleans text that comes from outside: workers' status, file names, last output lines. Pure. */
#ifndef STICKY_COMMON_SANITIZE_H
#define STICKY_COMMON_SANITIZE_H

/*
 * Make a text fit for a terminal and for JSON, in place. Each byte of a control character, of a
 * character that hides others or changes their direction, and each byte that is no UTF-8, becomes
 * '?'; so do the bytes of a sequence that is cut off at the end. Line ends stay.
 */
void text_clean(char *text);

/* The same for a text that must stay one line: line ends become '?', too. */
void text_clean_line(char *text);

/* The same for a value that stands in double quotes in the log: '"', which would end it, becomes
 * '\''. */
void text_clean_value(char *text);

#endif
