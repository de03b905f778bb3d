/* SPDX-License-Identifier: MIT */
/* The controller's log: one line an event on stderr, "time level event key=value ...". */
#ifndef STICKY_COMMON_LOG_H
#define STICKY_COMMON_LOG_H

#include "sticky.h"

/* Log one event. The detail is formatted as by printf; control characters are replaced. */
void report(enum sticky_log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Show nothing that is less important than this level. STICKY_LOG_INFO until it is called. */
void report_set_level(enum sticky_log_level level);

/* The same as the library's callback. */
void report_from_library(void *context, enum sticky_log_level level, const char *event,
			 const char *detail);

#endif
