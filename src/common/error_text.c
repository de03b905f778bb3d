// SPDX-License-Identifier: MIT
#include "common/error_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_text_set(struct error_text *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	/* cppcheck-suppress ctuuninitvar; cppcheck takes the output buffer for an input */
	vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
	va_end(args);
}

void error_text_add(struct error_text *error, const char *format, ...)
{
	size_t length = strlen(error->text);
	va_list args;

	va_start(args, format);
	vsnprintf(error->text + length, sizeof(error->text) - length, format, args);
	va_end(args);
}

void error_text_join_lines(struct error_text *error)
{
	struct error_text whole = *error;
	const char *line = whole.text, *end;

	error->text[0] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1)
		error_text_add(error, "%.*s; ", (int)(end - line), line);
	error_text_add(error, "%s", line);
}
