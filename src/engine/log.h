/* SPDX-License-Identifier: MIT */
/* The library's log messages, which go to the host's callback. */
#ifndef STICKY_ENGINE_LOG_H
#define STICKY_ENGINE_LOG_H

#include "sticky.h"

struct log {
	sticky_log_fn *fn; /* NULL: messages are dropped */
	void *context;
};

/* Report one event. The detail is formatted as by printf, and cut at 1,023 bytes. */
void log_event(const struct log *log, enum sticky_log_level level, const char *event,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
