// SPDX-License-Identifier: MIT
#include "common/log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/line_writer.h"
#include "common/log_fields.h"
#include "common/sanitize.h"

#define PRIORITY_SIZE 4 /* "<6>" */

static const char *const level_names[STICKY_LOG_LEVEL_COUNT] = {
	[STICKY_LOG_ERROR] = "error",
	[STICKY_LOG_WARN] = "warn",
	[STICKY_LOG_INFO] = "info",
	[STICKY_LOG_DEBUG] = "debug",
};

static const int priorities[STICKY_LOG_LEVEL_COUNT] = {
	[STICKY_LOG_ERROR] = 3,
	[STICKY_LOG_WARN] = 4,
	[STICKY_LOG_INFO] = 6,
	[STICKY_LOG_DEBUG] = 7,
};

/* These are atomic because threads of the demo and of the dispatchers read them, too. */
static atomic_uint shown_level = STICKY_LOG_INFO; /* an enum sticky_log_level */
static atomic_uint shown_format;		  /* an enum log_format */
static struct line_writer *_Atomic output;	  /* NULL: stderr, directly */
static atomic_bool output_takes_priority;

/* ---- Settings --------------------------------------------------------------------- */

void report_set_level(enum sticky_log_level level)
{
	atomic_store(&shown_level, level);
}

void report_set_format(enum log_format format)
{
	atomic_store(&shown_format, format);
}

enum log_format report_format(void)
{
	return (enum log_format)atomic_load(&shown_format);
}

void report_set_output(struct line_writer *writer, bool takes_priority)
{
	atomic_store(&output_takes_priority, takes_priority);
	atomic_store(&output, writer);
}

bool log_is_journal(int fd)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 && !fstat(fd, &status) &&
	       status.st_dev == device && status.st_ino == inode;
}

int log_priority(enum sticky_log_level level)
{
	return priorities[level];
}

/* ---- Writing ---------------------------------------------------------------------- */

/*
 * Write to stderr without a writer: at the start and the end of an instance, and in other commands.
 * Nothing else writes to stderr then.
 */
static void write_directly(const struct iovec *pieces, int count)
{
	struct pollfd poller = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[PIPE_BUF];
	size_t length = 0, done = 0;
	int piece = 0;

	/*
	 * poll() reports a pipe as writable if PIPE_BUF bytes fit. A longer line, as log_format:
	 * json can have, is written in parts of this size. If the reader does not read, the rest of
	 * the line is lost: nothing may block.
	 */
	while (piece < count) {
		size_t part = pieces[piece].iov_len - done;

		if (part > sizeof(text) - length)
			part = sizeof(text) - length;
		memcpy(text + length, (const char *)pieces[piece].iov_base + done, part);
		length += part;
		done += part;
		if (done == pieces[piece].iov_len) {
			piece++;
			done = 0;
		}
		if (length < sizeof(text) && piece < count)
			continue;
		/* An error of the log itself can't be logged. */
		if (poll(&poller, 1, 0) != 1 || write(STDERR_FILENO, text, length) < 0)
			return;
		length = 0;
	}
}

static bool takes_priority(const struct line_writer *writer)
{
	return writer ? atomic_load(&output_takes_priority) : log_is_journal(STDERR_FILENO);
}

static void write_line(struct line_writer *writer, enum sticky_log_level level, const char *line)
{
	char priority[PRIORITY_SIZE] = "", end[] = "\n";
	const struct iovec pieces[] = {
		{.iov_base = priority, .iov_len = PRIORITY_SIZE - 1},
		{.iov_base = (char *)line, .iov_len = strlen(line)},
		{.iov_base = end, .iov_len = 1},
	};
	bool has_priority = takes_priority(writer);
	const struct iovec *first = has_priority ? pieces : pieces + 1;
	int count = has_priority ? 3 : 2;

	if (has_priority)
		snprintf(priority, sizeof(priority), "<%d>", priorities[level]);
	if (writer)
		line_writer_add(writer, LINE_LOG, first, count);
	else
		write_directly(first, count);
}

/* ---- Text and JSON ---------------------------------------------------------------- */

static void report_text(enum sticky_log_level level, const char *event, const char *detail)
{
	struct line_writer *writer = atomic_load(&output);
	char line[2048], now[CLOCK_UTC_SIZE] = "";

	/* The journal and syslog add the time by themselves. */
	if (!takes_priority(writer))
		clock_utc(3, now);
	snprintf(line, sizeof(line), "%s%s%-5s %s%s%s", now, now[0] ? " " : "", level_names[level],
		 event, *detail ? " " : "", detail);
	/* The text may contain a worker's words: escape sequences must not reach a terminal. */
	text_clean_line(line);
	write_line(writer, level, line);
}

static void report_json(enum sticky_log_level level, const char *event, const json_t *fields)
{
	char now[CLOCK_UTC_SIZE];
	json_t *line;
	char *text;

	clock_utc(3, now);
	line = json_pack("{s:s, s:s, s:s}", "time", now, "level", level_names[level], "event",
			 event);
	if (fields)
		json_object_update_missing(line, (json_t *)fields);
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (!text) {
		report_text(level, event, "");
		return;
	}
	write_line(atomic_load(&output), level, text);
	free(text);
}

/* Log one event. For JSON, `fields` are its fields; NULL: they are parsed from the text. */
static void report_event(enum sticky_log_level level, const char *event, const json_t *fields,
			 const char *text)
{
	char clean[2048];
	json_t *parsed;

	if (level > atomic_load(&shown_level))
		return;
	if (report_format() == LOG_FORMAT_TEXT) {
		report_text(level, event, text);
		return;
	}
	if (fields) {
		report_json(level, event, fields);
		return;
	}
	snprintf(clean, sizeof(clean), "%s", text);
	text_clean_line(clean);
	parsed = log_fields_parse(clean);
	report_json(level, event, parsed);
	json_decref(parsed);
}

void report(enum sticky_log_level level, const char *event, const char *format, ...)
{
	char detail[1536];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	report_event(level, event, NULL, detail);
}

void report_fields(enum sticky_log_level level, const char *event, const json_t *fields,
		   const char *text)
{
	report_event(level, event, fields, text);
}

void report_from_library(void *context, enum sticky_log_level level, const char *event,
			 const char *detail)
{
	(void)context;
	report_event(level, event, NULL, detail);
}
