// SPDX-License-Identifier: MIT
#include "common/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sanitize.h"

static const char *const level_names[STICKY_LOG_LEVEL_COUNT] = {
	[STICKY_LOG_ERROR] = "error",
	[STICKY_LOG_WARN] = "warn",
	[STICKY_LOG_INFO] = "info",
	[STICKY_LOG_DEBUG] = "debug",
};

/* An enum sticky_log_level. Threads of the demo and of the dispatchers read it, too. */
static atomic_uint shown_level = STICKY_LOG_INFO;

void report_set_level(enum sticky_log_level level)
{
	atomic_store(&shown_level, level);
}

static size_t format_time(char *text, size_t size)
{
	char now[CLOCK_UTC_SIZE];

	/* systemd's journal adds the time by itself. */
	if (getenv("JOURNAL_STREAM"))
		return 0;
	clock_utc(3, now);
	return (size_t)snprintf(text, size, "%s ", now);
}

/* Lines that could not be written since the last one that was. Other threads log, too. */
static atomic_uint lost_lines;

static bool has_room(void)
{
	struct pollfd poller = {.fd = STDERR_FILENO, .events = POLLOUT};

	/*
	 * poll() reports a pipe as writable if PIPE_BUF bytes fit, which is more than the length of
	 * a line.
	 */
	return poll(&poller, 1, 0) == 1;
}

/*
 * Each line is one write(), so that lines of several processes do not mix. If the reader of stderr
 * has stopped reading, the controller must not block: the line is dropped and counted.
 */
static void write_or_lose(const char *line, size_t length)
{
	char notice[64];
	ssize_t written;

	if (!has_room()) {
		lost_lines++;
		return;
	}
	if (lost_lines) {
		int size = snprintf(notice, sizeof(notice), "warn  log_lost lines=%u\n",
				    atomic_exchange(&lost_lines, 0));

		written = write(STDERR_FILENO, notice, (size_t)size);
		if (written < 0 || !has_room()) {
			lost_lines = 1;
			return;
		}
	}
	written = write(STDERR_FILENO, line, length);
	(void)written; /* an error of the log itself can't be logged */
}

static void write_line(enum sticky_log_level level, const char *event, const char *detail)
{
	char line[2048];
	size_t length;

	if (level > atomic_load(&shown_level))
		return;
	length = format_time(line, sizeof(line));
	length += (size_t)snprintf(line + length, sizeof(line) - length - 1, "%-5s %s%s%s",
				   level_names[level], event, *detail ? " " : "", detail);
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	/* The text may contain a worker's words: escape sequences must not reach a terminal. */
	text_clean_line(line);
	line[length++] = '\n';
	write_or_lose(line, length);
}

void report(enum sticky_log_level level, const char *event, const char *format, ...)
{
	char detail[1536];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	write_line(level, event, detail);
}

void report_from_library(void *context, enum sticky_log_level level, const char *event,
			 const char *detail)
{
	(void)context;
	write_line(level, event, detail);
}
