// SPDX-License-Identifier: MIT
#include "common/message.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#define TEXT_SIZE 4096

static void write_lines(char *text)
{
	char mark[8] = "", *line, *rest = text;

	if (log_is_journal(STDERR_FILENO))
		snprintf(mark, sizeof(mark), "<%d>", log_priority(STICKY_LOG_ERROR));
	while ((line = strsep(&rest, "\n")))
		fprintf(stderr, "%s%s\n", mark, line);
}

void message(const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	write_lines(text);
}

void message_of_program(const char *format, va_list args)
{
	char text[TEXT_SIZE];

	vsnprintf(text, sizeof(text), format, args);
	message("stickyctl: %s", text);
}
