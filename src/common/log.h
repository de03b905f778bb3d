/* SPDX-License-Identifier: MIT */
/*
 * The controller's log: one line for each event, on stderr or where report_set_output() says:
 * "time level event key=value ...", or a JSON object. Any thread may log.
 */
#ifndef STICKY_COMMON_LOG_H
#define STICKY_COMMON_LOG_H

#include <jansson.h>
#include <stdbool.h>

#include "sticky.h"

struct line_writer;

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_COUNT };

/*
 * Log one event. `format` is that of printf(), for key=value pairs, separated by spaces. The text
 * is cleaned by text_clean_line().
 */
void report(enum sticky_log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same for an event whose fields are known.
 *
 * fields  a JSON object, which stays the caller's
 * text    the same fields as key=value
 */
void report_fields(enum sticky_log_level level, const char *event, const json_t *fields,
		   const char *text);

/* Show only events of this level or a more important one. The default is STICKY_LOG_INFO. */
void report_set_level(enum sticky_log_level level);

/* Write lines of this form from now on. The default is LOG_FORMAT_TEXT. */
void report_set_format(enum log_format format);

/* Returns the form in which lines are written. */
enum log_format report_format(void);

/*
 * Write the log by a writer from now on.
 *
 * writer          must outlive its use; NULL: write to stderr again
 * takes_priority  true: "<6>" begins each line, and the reader adds the time by itself
 */
void report_set_output(struct line_writer *writer, bool takes_priority);

/*
 * Returns true if a descriptor is the stream of systemd's journal (JOURNAL_STREAM). The journal
 * takes a line's priority from "<6>" at its beginning, and adds the time by itself.
 */
bool log_is_journal(int fd);

/* Returns the priority of syslog(3) that belongs to a level: 3 to 7. */
int log_priority(enum sticky_log_level level);

/* The log callback for libsticky (sticky_log_fn): logs the library's events. */
void report_from_library(void *context, enum sticky_log_level level, const char *event,
			 const char *detail);

#endif
