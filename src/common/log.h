/* SPDX-License-Identifier: MIT */
/* The controller's log: one line for each event on stderr, "time level event key=value ...". */
#ifndef STICKY_COMMON_LOG_H
#define STICKY_COMMON_LOG_H

#include "sticky.h"

/* Log one event. `format` is that of printf(). What text_clean_line() replaces is
 * replaced. */
void report(enum sticky_log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Show only events of this level or a more important one. The default is STICKY_LOG_INFO. */
void report_set_level(enum sticky_log_level level);

/* The log callback for libsticky (sticky_log_fn): logs the library's events. */
void report_from_library(void *context, enum sticky_log_level level, const char *event,
			 const char *detail);

#endif
