// SPDX-License-Identifier: MIT
#include "process/output.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/timer.h"

#define SINK_FULL      (256 * 1024) /* bytes waiting for our reader: stop reading the workers' */
#define READ_SIZE      16384
#define DRAIN_READS    16 /* a pipe holds 64 KiB: four reads; more only if a process still writes */
#define LINE_MAX_BYTES 65536 /* a longer line is passed in parts */
#define SILENCE_MS     200   /* a part of a line waits so long for the rest */
#define PREFIX_SIZE    32
#define TAIL_SIZE      2048

struct output_sink {
	int fd;
	struct event *writable;
	struct evbuffer *waiting;
	struct output_source *paused; /* sources that wait for room */
	bool broken;		      /* it has no reader any more: output is discarded */
};

struct output_source {
	int fd;
	struct event *readable;
	struct output_sink *sink;
	struct output_tail *tail;
	struct output_source *next_paused;
	bool is_paused;
	char prefix[PREFIX_SIZE];
	struct event *silence; /* the timer of SILENCE_MS; it runs while `line` has something */
	struct evbuffer *line; /* begun, not yet ended: others' lines must not come into it */
};

struct output_tail {
	size_t length; /* number of bytes that were ever written */
	char bytes[TAIL_SIZE];
};

/* ---- Tail ----------------------------------------------------------------------- */

int output_tail_open(struct output_tail **ret_tail)
{
	*ret_tail = calloc(1, sizeof(**ret_tail));
	return *ret_tail ? 0 : -ENOMEM;
}

void output_tail_close(struct output_tail *tail)
{
	free(tail);
}

static void tail_add(struct output_tail *tail, const char *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		tail->bytes[tail->length++ % TAIL_SIZE] = bytes[i];
}

void output_tail_read(const struct output_tail *tail, size_t size, char *ret_text)
{
	/*
	 * One byte less than there is room: the byte in front tells whether the first one begins a
	 * line.
	 */
	size_t kept = tail->length < TAIL_SIZE ? tail->length : TAIL_SIZE - 1;
	size_t wanted = kept < size - 1 ? kept : size - 1;
	size_t start = tail->length - wanted, i;
	char *line_end;

	for (i = 0; i < wanted; i++)
		ret_text[i] = tail->bytes[(start + i) % TAIL_SIZE];
	ret_text[wanted] = '\0';
	if (start == 0 || tail->bytes[(start - 1) % TAIL_SIZE] == '\n')
		return;
	/*
	 * The text begins in the middle of a line. That part is left out if another line follows.
	 */
	line_end = strchr(ret_text, '\n');
	if (line_end && line_end[1])
		memmove(ret_text, line_end + 1, strlen(line_end + 1) + 1);
}

/* ---- Sink ----------------------------------------------------------------------- */

static void resume_sources(struct output_sink *sink)
{
	while (sink->paused) {
		struct output_source *source = sink->paused;

		sink->paused = source->next_paused;
		source->is_paused = false;
		if (event_add(source->readable, NULL))
			report(STICKY_LOG_ERROR, "output_not_read", "fd=%d error=\"%s\"",
			       source->fd, strerror(errno));
	}
}

static bool has_room(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};

	return poll(&poller, 1, 0) == 1;
}

static void break_sink(struct output_sink *sink)
{
	sink->broken = true;
	evbuffer_drain(sink->waiting, evbuffer_get_length(sink->waiting));
}

/*
 * Write as much as the reader takes without blocking. The descriptor is blocking, and must stay so,
 * as other processes share it. poll() tells when a pipe takes PIPE_BUF bytes at once.
 */
static void flush(struct output_sink *sink)
{
	while (evbuffer_get_length(sink->waiting) && has_room(sink->fd)) {
		if (evbuffer_write_atmost(sink->waiting, sink->fd, PIPE_BUF) >= 0)
			continue;
		if (errno == EAGAIN || errno == EINTR)
			break;
		break_sink(sink);
	}
	/* It is better to lose output than to let workers wait for their pipes. */
	if (evbuffer_get_length(sink->waiting) && event_add(sink->writable, NULL))
		break_sink(sink);
	if (evbuffer_get_length(sink->waiting) < SINK_FULL / 2)
		resume_sources(sink);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	flush(context);
}

int output_sink_open(struct event_base *base, int fd, struct output_sink **ret_sink)
{
	struct output_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return -ENOMEM;
	sink->fd = fd;
	sink->waiting = evbuffer_new();
	sink->writable = event_new(base, fd, EV_WRITE, on_writable, sink);
	if (!sink->waiting || !sink->writable) {
		output_sink_close(sink);
		return -ENOMEM;
	}
	*ret_sink = sink;
	return 0;
}

void output_sink_close(struct output_sink *sink)
{
	if (!sink)
		return;
	if (sink->waiting && sink->writable)
		flush(sink);
	if (sink->writable)
		event_free(sink->writable);
	if (sink->waiting)
		evbuffer_free(sink->waiting);
	free(sink);
}

/* ---- Source --------------------------------------------------------------------- */

static void pass_line(struct output_source *source, const char *bytes, size_t length)
{
	evbuffer_add(source->sink->waiting, source->prefix, strlen(source->prefix));
	evbuffer_add_buffer(source->sink->waiting, source->line);
	evbuffer_add(source->sink->waiting, bytes, length);
}

/* Pass on a line that has no end yet. Without a prefix the bytes stay as they are. */
static void pass_part(struct output_source *source)
{
	pass_line(source, "\n", source->prefix[0] ? 1 : 0);
}

/* With a prefix the rest would get a line of its own: it is waited for. */
static void wait_for_rest(struct output_source *source)
{
	if (evbuffer_get_length(source->line) && !source->prefix[0])
		timer_start(source->silence, SILENCE_MS);
	else
		event_del(source->silence);
}

static void on_silence(evutil_socket_t fd, short what, void *context)
{
	struct output_source *source = context;

	(void)fd;
	(void)what;
	if (!source->sink->broken)
		pass_part(source);
	flush(source->sink);
}

static void pass_lines(struct output_source *source, const char *bytes, size_t length)
{
	const char *end;

	while (length && (end = memchr(bytes, '\n', length))) {
		size_t line = (size_t)(end - bytes) + 1;

		pass_line(source, bytes, line);
		bytes += line;
		length -= line;
	}
	evbuffer_add(source->line, bytes, length);
	if (evbuffer_get_length(source->line) > LINE_MAX_BYTES)
		pass_part(source);
	wait_for_rest(source);
}

static void pass(struct output_source *source, const char *bytes, size_t length)
{
	tail_add(source->tail, bytes, length);
	if (source->sink->broken)
		return;
	pass_lines(source, bytes, length);
}

/* Returns false at the end of the pipe, or if nothing is there now. */
static bool read_some(struct output_source *source)
{
	char bytes[READ_SIZE];
	ssize_t length = read(source->fd, bytes, sizeof(bytes));

	if (length > 0) {
		pass(source, bytes, (size_t)length);
		return true;
	}
	if (length == 0)
		event_del(source->readable);
	return false;
}

static void pause_if_full(struct output_source *source)
{
	struct output_sink *sink = source->sink;

	if (evbuffer_get_length(sink->waiting) < SINK_FULL || source->is_paused)
		return;
	event_del(source->readable);
	source->is_paused = true;
	source->next_paused = sink->paused;
	sink->paused = source;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct output_source *source = context;

	(void)fd;
	(void)what;
	read_some(source);
	flush(source->sink);
	pause_if_full(source);
}

int output_source_open(struct event_base *base, int fd, struct output_sink *sink,
		       const char *prefix, struct output_tail *tail,
		       struct output_source **ret_source)
{
	struct output_source *source = calloc(1, sizeof(*source));

	if (!source)
		return -ENOMEM;
	source->fd = -1;
	source->sink = sink;
	source->tail = tail;
	strncpy(source->prefix, prefix, sizeof(source->prefix) - 1);
	source->line = evbuffer_new();
	source->silence = evtimer_new(base, on_silence, source);
	source->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, source);
	if (!source->line || !source->silence || !source->readable ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) || event_add(source->readable, NULL)) {
		output_source_close(source);
		return -ENOMEM;
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
	flush(source->sink);
}

static void forget_paused(struct output_source *source)
{
	struct output_source **link = &source->sink->paused;

	while (*link && *link != source)
		link = &(*link)->next_paused;
	if (*link)
		*link = source->next_paused;
}

void output_source_close(struct output_source *source)
{
	if (!source)
		return;
	if (source->fd >= 0) {
		output_source_drain(source);
		if (evbuffer_get_length(source->line))
			pass_part(source);
		flush(source->sink);
	}
	forget_paused(source);
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
