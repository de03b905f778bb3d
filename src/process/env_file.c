// SPDX-License-Identifier: MIT
#include "process/env_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct cursor {
	char *at;
	char *end; /* a NUL is there */
	unsigned int line;
	struct env_file_problem problem;
};

static int complain(struct cursor *cursor, unsigned int line, const char *what)
{
	cursor->problem = (struct env_file_problem){line, what};
	return -EINVAL;
}

static void skip_blanks(struct cursor *cursor)
{
	cursor->at += strspn(cursor->at, " \t\r");
}

/* Go to the beginning of the next line, or to the end of the text. */
static void skip_line(struct cursor *cursor)
{
	cursor->at += strcspn(cursor->at, "\n");
	if (cursor->at < cursor->end) {
		cursor->at++;
		cursor->line++;
	}
}

static bool is_name_letter(char c, bool is_first)
{
	return isalpha((unsigned char)c) || c == '_' ||
	       (!is_first && (isdigit((unsigned char)c) || c == '.' || c == '-'));
}

static void skip_export(struct cursor *cursor)
{
	static const char word[] = "export";
	size_t length = sizeof(word) - 1;

	if (strncmp(cursor->at, word, length) || !strchr(" \t", cursor->at[length]) ||
	    !cursor->at[length])
		return;
	cursor->at += length;
	skip_blanks(cursor);
}

/* Read NAME and '='. A NUL behind the name ends *ret_name. */
static int read_name(struct cursor *cursor, char **ret_name)
{
	char *name = cursor->at, *name_end;

	while (is_name_letter(*cursor->at, cursor->at == name))
		cursor->at++;
	name_end = cursor->at;
	if (name_end == name)
		return complain(cursor, cursor->line, "NAME=VALUE is wanted here");
	skip_blanks(cursor);
	if (*cursor->at != '=')
		return complain(cursor, cursor->line, "'=' is wanted behind the name");
	cursor->at++;
	*name_end = '\0';
	*ret_name = name;
	return 0;
}

static char unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

/* Go to the next line. Only a comment may follow a value in quotation marks. */
static int end_quoted(struct cursor *cursor)
{
	skip_blanks(cursor);
	if (cursor->at < cursor->end && *cursor->at != '\n' && *cursor->at != '#')
		return complain(cursor, cursor->line, "something follows the quotation mark");
	skip_line(cursor);
	return 0;
}

static int read_quoted(struct cursor *cursor, char **ret_value)
{
	unsigned int first_line = cursor->line;
	char quote = *cursor->at++;
	char *value = cursor->at, *to = value;

	while (cursor->at < cursor->end && *cursor->at != quote) {
		bool escapes = quote == '"' && *cursor->at == '\\' && cursor->at[1] &&
			       strchr("nrt\"\\$", cursor->at[1]);

		cursor->line += *cursor->at == '\n';
		cursor->at += escapes;
		*to++ = escapes ? unescape(*cursor->at) : *cursor->at;
		cursor->at++;
	}
	if (cursor->at >= cursor->end)
		return complain(cursor, first_line, "the quotation mark is not closed");
	cursor->at++;
	*ret_value = value;
	if (end_quoted(cursor))
		return -EINVAL;
	*to = '\0';
	return 0;
}

/*
 * Find the comment of a line; without one return line_end. A comment begins with '#' behind white
 * space, or where the value would begin.
 */
static char *find_comment(char *value, char *line_end)
{
	char *at;

	for (at = value; at < line_end; at++)
		if (*at == '#' && (at == value || at[-1] == ' ' || at[-1] == '\t'))
			return at;
	return line_end;
}

static void read_plain(struct cursor *cursor, char **ret_value)
{
	char *value = cursor->at, *line_end = value + strcspn(value, "\n");
	char *value_end = find_comment(value, line_end);

	while (value_end > value && strchr(" \t\r", value_end[-1]))
		value_end--;
	cursor->at = line_end;
	skip_line(cursor);
	*value_end = '\0';
	*ret_value = value;
}

static int read_assignment(struct cursor *cursor, env_file_fn *fn, void *context)
{
	char *name = NULL, *value = NULL;
	int error;

	skip_export(cursor);
	error = read_name(cursor, &name);
	if (error)
		return error;
	cursor->at += strspn(cursor->at, " \t");
	if (*cursor->at && strchr("'\"`", *cursor->at))
		error = read_quoted(cursor, &value);
	else
		read_plain(cursor, &value);
	return error ? error : fn(context, name, value);
}

int env_file_parse(char *text, size_t length, env_file_fn *fn, void *context,
		   struct env_file_problem *ret_problem)
{
	struct cursor cursor = {.at = text, .end = text + length, .line = 1};
	int error = 0;

	if (strlen(text) != length)
		error = complain(&cursor, 1, "the file has a NUL byte");
	while (!error && cursor.at < cursor.end) {
		skip_blanks(&cursor);
		if (cursor.at == cursor.end)
			break;
		if (*cursor.at == '\n' || *cursor.at == '#')
			skip_line(&cursor);
		else
			error = read_assignment(&cursor, fn, context);
	}
	*ret_problem = cursor.problem;
	return error;
}
