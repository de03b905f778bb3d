/* SPDX-License-Identifier: MIT */
/*
 * A text with the colours of a terminal, as status_view() writes it, cut into lines and parts for a
 * screen. Pure, except that the locale (setlocale(3)) decides which bytes are characters.
 */
#ifndef STICKY_TERMINAL_STYLED_TEXT_H
#define STICKY_TERMINAL_STYLED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum text_colour { TEXT_PLAIN, TEXT_RED, TEXT_GREEN, TEXT_YELLOW, TEXT_COLOUR_COUNT };

/* The lines of a text. All zero is no lines. */
struct text_lines {
	char *text;
	const char **lines;
	size_t count;
};

/*
 * Cut a text into lines.
 *
 * text       allocated by malloc(); taken over, also on an error
 * ret_lines  freed by text_lines_fini()
 *
 * Returns 0 or -ENOMEM.
 */
int text_lines_init(char *text, struct text_lines *ret_lines);

void text_lines_fini(struct text_lines *lines);

/* A part of a line that has one colour. */
struct text_run {
	const char *text;
	size_t length; /* in bytes */
	enum text_colour colour;
};

/* The position of text_run_next() in a line. It begins with the whole line and TEXT_PLAIN. */
struct text_cursor {
	const char *rest;
	enum text_colour colour;
};

/*
 * Get the next part of the line. Sequences that set no colour are left out. Returns false at the
 * end of the line.
 */
bool text_run_next(struct text_cursor *cursor, struct text_run *ret_run);

/*
 * Find how much of a text fits into some columns.
 *
 * length       of the text, in bytes
 * columns      number of columns that are free
 * ret_columns  number of columns that are used
 *
 * Returns a number of bytes, at most `length`. A byte that is no character takes one column.
 */
size_t text_fit(const char *text, size_t length, int columns, int *ret_columns);

#endif
