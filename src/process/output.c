// SPDX-License-Identifier: MIT
#include "process/output.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/priority_mark.h"
#include "common/ring_line_json.h"
#include "common/timer.h"
#include "process/worker_line.h"

#define READ_SIZE      16384
#define DRAIN_READS    16 /* a pipe holds 64 KiB: four reads; more only if a process still writes */
#define RAW_MAX	       (1u << 20) /* a longer line is passed in parts */
#define LINE_MAX_BYTES 65536	  /* the same with a prefix, and in JSON */
#define BEGUN_MAX      (16u << 20)
#define SILENCE_MS     200 /* how long a part of a raw line waits for the rest */

struct output_source {
	int fd;
	struct event *readable;
	struct output_route route;
	struct event *silence; /* the timer of SILENCE_MS; it runs while `line` has something */
	/* a line that has no end yet: lines of other sources must not come into it */
	struct evbuffer *line;
	bool is_in_line; /* raw: a part of a line was passed, its end not yet */
	bool skips;	 /* raw: a part of the line was dropped; the rest will be, too */
};

/* ---- The three forms -------------------------------------------------------------- */

static struct iovec piece(const char *bytes, size_t length)
{
	return (struct iovec){.iov_base = (char *)bytes, .iov_len = length};
}

/*
 * Write a raw line, or a part of one. If the reader is slow, and a part is dropped, the whole rest
 * of the line is dropped, too. The part that was already passed gets a line end, as otherwise the
 * next line would continue it.
 */
static void write_raw(struct output_source *source, const char *bytes, size_t length, bool is_whole)
{
	const struct iovec line = piece(bytes, length), end = piece("\n", 1);
	struct line_writer *writer = source->route.writer;

	if (source->skips) {
		line_writer_lose(writer, is_whole, length);
	} else if (!line_writer_add(writer, LINE_OUTPUT, &line, 1)) {
		source->skips = true;
		if (source->is_in_line)
			line_writer_add(writer, LINE_END, &end, 1);
	}
	source->is_in_line = !is_whole && !source->skips;
	source->skips &= !is_whole;
}

static void write_prefixed(const struct output_source *source, const struct ring_line *line)
{
	char prefix[WORKER_LINE_PREFIX_SIZE];
	size_t own =
		source->route.has_priority ? priority_mark_length(line->bytes, line->length) : 0;
	const struct iovec pieces[] = {
		own ? piece(line->bytes, own)
		    : piece(PRIORITY_MARK_INFO, source->route.has_priority ? 3 : 0),
		piece(prefix, worker_line_prefix(&line->origin, prefix)),
		piece(line->bytes + own, line->length - own),
		piece("\n", 1),
	};

	line_writer_add(source->route.writer, LINE_OUTPUT, pieces, 4);
}

static void write_json(const struct output_source *source, const struct ring_line *line)
{
	json_t *json = ring_line_json(line);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text) {
		const struct iovec pieces[] = {
			piece(PRIORITY_MARK_INFO, source->route.has_priority ? 3 : 0),
			piece(text, strlen(text)),
			piece("\n", 1),
		};

		line_writer_add(source->route.writer, LINE_OUTPUT, pieces, 3);
	} else {
		line_writer_lose(source->route.writer, 1, line->length);
	}
	free(text);
	json_decref(json);
}

/* ---- Lines ------------------------------------------------------------------------ */

/* Pass on a line, or a part of one that has no line end. */
static void pass(struct output_source *source, const char *bytes, size_t length)
{
	bool is_whole = length && bytes[length - 1] == '\n';
	struct ring_line line = {.time_ms = clock_utc_ms(),
				 .bytes = bytes,
				 .length = length - is_whole,
				 .is_part = !is_whole};

	source->route.origin(source->route.context, &line.origin);
	if (source->route.ring)
		line_ring_add(source->route.ring, &line.origin, line.time_ms, bytes, length);
	switch (source->route.form) {
	case OUTPUT_RAW:
		write_raw(source, bytes, length, is_whole);
		break;
	case OUTPUT_PREFIX:
		write_prefixed(source, &line);
		break;
	case OUTPUT_JSON:
		write_json(source, &line);
		break;
	}
}

/* Pass on the kept part of a line. */
static void pass_begun(struct output_source *source)
{
	size_t length = evbuffer_get_length(source->line);
	unsigned char *bytes = evbuffer_pullup(source->line, -1);

	if (bytes)
		pass(source, (const char *)bytes, length);
	else if (length) /* there is no memory for it in one piece */
		line_writer_lose(source->route.writer, 1, length);
	evbuffer_drain(source->line, length);
	*source->route.begun -= length;
}

static void keep(struct output_source *source, const char *bytes, size_t length)
{
	if (evbuffer_add(source->line, bytes, length))
		line_writer_lose(source->route.writer, 0, length);
	else
		*source->route.begun += length;
}

static void pass_line(struct output_source *source, const char *bytes, size_t length)
{
	if (!evbuffer_get_length(source->line)) {
		pass(source, bytes, length);
		return;
	}
	keep(source, bytes, length);
	pass_begun(source);
}

/*
 * Wait for the rest of a line. Raw lines are passed after SILENCE_MS. With a prefix there is no
 * limit, as the rest would get a line of its own.
 */
static void wait_for_rest(struct output_source *source)
{
	if (evbuffer_get_length(source->line) && source->route.form == OUTPUT_RAW)
		timer_start(source->silence, SILENCE_MS);
	else
		event_del(source->silence);
}

static void on_silence(evutil_socket_t fd, short what, void *context)
{
	struct output_source *source = context;

	(void)fd;
	(void)what;
	pass_begun(source);
	line_writer_push(source->route.writer);
}

static bool is_too_long(const struct output_source *source)
{
	size_t limit = source->route.form == OUTPUT_RAW ? RAW_MAX : LINE_MAX_BYTES;

	return evbuffer_get_length(source->line) > limit || *source->route.begun > BEGUN_MAX;
}

static void take(struct output_source *source, const char *bytes, size_t length)
{
	const char *end;

	output_tail_add(source->route.tail, bytes, length);
	while (length && (end = memchr(bytes, '\n', length))) {
		size_t line = (size_t)(end - bytes) + 1;

		pass_line(source, bytes, line);
		bytes += line;
		length -= line;
	}
	keep(source, bytes, length);
	if (is_too_long(source))
		pass_begun(source);
	line_writer_push(source->route.writer);
	wait_for_rest(source);
}

/* ---- The pipe --------------------------------------------------------------------- */

/* Read from the pipe once. Returns false at the end of the pipe, or if nothing is there now. */
static bool read_some(struct output_source *source)
{
	char bytes[READ_SIZE];
	ssize_t length = read(source->fd, bytes, sizeof(bytes));

	if (length > 0) {
		take(source, bytes, (size_t)length);
		return true;
	}
	if (length == 0)
		event_del(source->readable);
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	read_some(context);
}

int output_source_open(struct event_base *base, int fd, const struct output_route *route,
		       struct output_source **ret_source)
{
	struct output_source *source = calloc(1, sizeof(*source));
	int error = -ENOMEM;

	if (!source)
		return error;
	source->fd = -1;
	source->route = *route;
	source->line = evbuffer_new();
	source->silence = evtimer_new(base, on_silence, source);
	source->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, source);
	if (source->line && source->silence && source->readable)
		error = fcntl(fd, F_SETFL, O_NONBLOCK)	    ? -errno
			: event_add(source->readable, NULL) ? -ENOMEM
							    : 0;
	if (error) {
		output_source_close(source);
		return error;
	}
	source->fd = fd;
	*ret_source = source;
	return 0;
}

int output_source_fd(const struct output_source *source)
{
	return source->fd;
}

void output_source_drain(struct output_source *source)
{
	int reads;

	if (!source)
		return;

	for (reads = 0; reads < DRAIN_READS && read_some(source); reads++)
		;
}

void output_source_close(struct output_source *source)
{
	if (!source)
		return;
	if (source->fd >= 0) {
		output_source_drain(source);
		if (evbuffer_get_length(source->line))
			pass_begun(source);
		line_writer_push(source->route.writer);
	}
	if (source->readable)
		event_free(source->readable);
	if (source->silence)
		event_free(source->silence);
	if (source->line)
		evbuffer_free(source->line);
	if (source->fd >= 0)
		close(source->fd);
	free(source);
}
