// SPDX-License-Identifier: MIT
#include "terminal/styled_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define ESCAPE '\033'

/* ---- Lines -------------------------------------------------------------------------- */

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n' || !text[1];
	return count;
}

int text_lines_init(char *text, struct text_lines *ret_lines)
{
	size_t count = count_lines(text), i;
	const char **lines = calloc(count + 1, sizeof(*lines));
	char *rest = text;

	if (!lines) {
		free(text);
		return -ENOMEM;
	}
	for (i = 0; i < count; i++)
		lines[i] = strsep(&rest, "\n");
	*ret_lines = (struct text_lines){.text = text, .lines = lines, .count = count};
	return 0;
}

void text_lines_fini(struct text_lines *lines)
{
	free(lines->text);
	free(lines->lines);
	*lines = (struct text_lines){0};
}

/* ---- Colours ------------------------------------------------------------------------ */

/* Read a sequence such as "\033[31m". Returns the text behind it. */
static const char *read_escape(const char *text, enum text_colour *colour)
{
	static const struct {
		const char *parameters;
		enum text_colour colour;
	} known[] = {{"0", TEXT_PLAIN}, {"31", TEXT_RED}, {"32", TEXT_GREEN}, {"33", TEXT_YELLOW}};
	const char *parameters = text + 2;
	size_t length, i;

	if (text[1] != '[')
		return text + 1;
	length = strspn(parameters, "0123456789;");
	for (i = 0; i < sizeof(known) / sizeof(known[0]) && parameters[length] == 'm'; i++)
		if (strlen(known[i].parameters) == length &&
		    !strncmp(known[i].parameters, parameters, length))
			*colour = known[i].colour;
	return parameters + length + (parameters[length] != '\0');
}

bool text_run_next(struct text_cursor *cursor, struct text_run *ret_run)
{
	while (*cursor->rest == ESCAPE)
		cursor->rest = read_escape(cursor->rest, &cursor->colour);
	if (!*cursor->rest)
		return false;
	*ret_run = (struct text_run){
		.text = cursor->rest,
		.length = strcspn(cursor->rest, "\033"),
		.colour = cursor->colour,
	};
	cursor->rest += ret_run->length;
	return true;
}

/* ---- Columns ------------------------------------------------------------------------ */

/* Measure the first character of a text. Returns its length in bytes. */
static size_t measure(const char *text, size_t length, int *ret_columns)
{
	mbstate_t state = {0};
	wchar_t character;
	size_t bytes = mbrtowc(&character, text, length, &state);
	int columns;

	*ret_columns = 1;
	if (bytes == 0 || bytes > length) /* no character, or a part of one */
		return 1;
	columns = wcwidth(character);
	if (columns >= 0)
		*ret_columns = columns;
	return bytes;
}

size_t text_fit(const char *text, size_t length, int columns, int *ret_columns)
{
	size_t used = 0;
	int column = 0;

	while (used < length) {
		int width;
		size_t bytes = measure(text + used, length - used, &width);

		if (column + width > columns)
			break;
		column += width;
		used += bytes;
	}
	*ret_columns = column;
	return used;
}
