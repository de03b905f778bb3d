// SPDX-License-Identifier: MIT
#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void failure_exit(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "clients: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	exit(EXIT_NOT_ALL);
}

void failure_usage(const char *what, const char *value)
{
	fprintf(stderr, "clients: %s: %s\n", what, value);
	exit(EXIT_USAGE);
}
