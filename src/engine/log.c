// SPDX-License-Identifier: MIT
#include "engine/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_event(const struct log *log, enum sticky_log_level level, const char *event,
	       const char *format, ...)
{
	char detail[1024];
	va_list args;

	if (!log->fn)
		return;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	log->fn(log->context, level, event, detail);
}
