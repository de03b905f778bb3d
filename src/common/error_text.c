// SPDX-License-Identifier: MIT
#include "common/error_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_text_set(struct error_text *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	/*
	 * cppcheck-suppress ctuuninitvar; it takes the buffer, which is written to, for one that is
	 * read
	 */
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
