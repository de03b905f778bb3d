// SPDX-License-Identifier: MIT
#include "common/line_writer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/syslog_socket.h"

#define PIECES_MAX 16

/* How a write is kept from blocking. */
enum way {
	BY_OWN_DESCRIPTION, /* the writer's own open file description, with O_NONBLOCK */
	BY_SEND,	    /* a socket: MSG_DONTWAIT */
	BY_SYSLOG,	    /* a message for each line */
	BY_POLL		    /* poll() tells when a pipe takes PIPE_BUF bytes; a file never blocks */
};

struct line_writer {
	pthread_mutex_t lock; /* guards all members but fd and way */
	int fd;
	enum way way;
	struct syslog_socket *syslog; /* NULL: lines go to fd */
	struct evbuffer *waiting;
	bool failed;	 /* the last write failed, and all waiting bytes were dropped */
	bool is_in_line; /* the last byte that was written is not a line end */
	bool must_end;	 /* a line was cut: a line end is written before the next one */
	struct line_losses losses;
	struct line_losses told; /* the part of `losses` that the log has told */
	line_writer_attention_fn *attention;
	void *context;
};

/* ---- The descriptor ------------------------------------------------------------- */

/* Open a pipe or terminal again, with O_NONBLOCK for us alone. Returns a descriptor or -1. */
static int open_own(int fd)
{
	char path[32];
	struct stat status;

	if (fstat(fd, &status) || (!S_ISFIFO(status.st_mode) && !isatty(fd)))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static bool is_socket(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static void set_fd(struct line_writer *writer, int fd)
{
	int own = open_own(fd);

	writer->fd = own >= 0 ? own : fd;
	writer->way = own >= 0 ? BY_OWN_DESCRIPTION : is_socket(fd) ? BY_SEND : BY_POLL;
}

static void close_own(struct line_writer *writer)
{
	if (writer->way == BY_OWN_DESCRIPTION)
		close(writer->fd);
}

/* ---- Writing, under the lock ------------------------------------------------------ */

static bool has_room(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};

	return poll(&poller, 1, 0) == 1;
}

/* Cut the pieces to `limit` bytes. Returns how many pieces are left. */
static int trim(struct iovec *pieces, int count, size_t limit)
{
	int i;

	for (i = 0; i < count && limit; i++) {
		if (pieces[i].iov_len > limit)
			pieces[i].iov_len = limit;
		limit -= pieces[i].iov_len;
	}
	return i;
}

/* Write without blocking. Returns the number of bytes written, or -1 with errno. */
static ssize_t write_pieces(const struct line_writer *writer, struct iovec *pieces, int count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};

	switch (writer->way) {
	case BY_SEND:
		return sendmsg(writer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	case BY_POLL:
		if (!has_room(writer->fd)) {
			errno = EAGAIN;
			return -1;
		}
		count = trim(pieces, count, PIPE_BUF);
		break;
	case BY_SYSLOG: /* written by send_line() */
	case BY_OWN_DESCRIPTION:
		break;
	}
	return writev(writer->fd, pieces, count);
}

static void note_written(struct line_writer *writer, const struct iovec *pieces, size_t length)
{
	size_t at = length;
	int i;

	for (i = 0; at > pieces[i].iov_len; i++)
		at -= pieces[i].iov_len;
	writer->is_in_line = ((const char *)pieces[i].iov_base)[at - 1] != '\n';
	writer->failed = false;
	evbuffer_drain(writer->waiting, length);
}

static bool write_bytes(struct line_writer *writer)
{
	struct iovec pieces[PIECES_MAX];
	ssize_t length;
	int count = evbuffer_peek(writer->waiting, -1, NULL, pieces, PIECES_MAX);

	length = write_pieces(writer, pieces, count < PIECES_MAX ? count : PIECES_MAX);
	if (length > 0)
		note_written(writer, pieces, (size_t)length);
	return length > 0;
}

/* Send the first line. Returns true if it was sent. */
static bool send_line(struct line_writer *writer)
{
	struct evbuffer_ptr end = evbuffer_search_eol(writer->waiting, NULL, NULL, EVBUFFER_EOL_LF);
	size_t whole = evbuffer_get_length(writer->waiting);
	size_t length = end.pos < 0 ? whole : (size_t)end.pos;
	const unsigned char *line = evbuffer_pullup(writer->waiting, (ev_ssize_t)length);
	int error = line     ? syslog_socket_send(writer->syslog, (const char *)line, length)
		    : length ? -ENOMEM
			     : 0;

	if (error) {
		errno = -error;
		return false;
	}
	writer->failed = false;
	evbuffer_drain(writer->waiting, length + (length < whole));
	return true;
}

/* Write some of the waiting bytes. Returns true if something was written. */
static bool write_some(struct line_writer *writer)
{
	if (writer->syslog)
		return send_line(writer);
	return write_bytes(writer);
}

static uint64_t count_lines(const struct line_writer *writer)
{
	struct evbuffer_ptr at = evbuffer_search_eol(writer->waiting, NULL, NULL, EVBUFFER_EOL_LF);
	uint64_t lines = 0;

	for (; at.pos >= 0; lines++) {
		evbuffer_ptr_set(writer->waiting, &at, 1, EVBUFFER_PTR_ADD);
		at = evbuffer_search_eol(writer->waiting, &at, NULL, EVBUFFER_EOL_LF);
	}
	return lines;
}

static void add_losses(struct line_writer *writer, uint64_t lines, uint64_t bytes)
{
	writer->losses.lines += lines;
	writer->losses.bytes += bytes;
}

/*
 * Drop all waiting bytes, and count them as lost: the reader has gone, or the disk is full. Workers
 * must not wait for that to change.
 */
static void drop_waiting(struct line_writer *writer)
{
	size_t length = evbuffer_get_length(writer->waiting);

	add_losses(writer, count_lines(writer), length);
	evbuffer_drain(writer->waiting, length);
	writer->failed = true;
	writer->must_end = writer->is_in_line;
}

static void flush(struct line_writer *writer)
{
	while (evbuffer_get_length(writer->waiting)) {
		if (write_some(writer) || errno == EINTR)
			continue;
		if (errno != EAGAIN)
			drop_waiting(writer);
		return;
	}
}

static bool needs_attention(const struct line_writer *writer)
{
	return evbuffer_get_length(writer->waiting) ||
	       (!writer->failed && writer->losses.bytes != writer->told.bytes);
}

static size_t length_of(const struct iovec *pieces, int count)
{
	size_t length = 0;
	int i;

	for (i = 0; i < count; i++)
		length += pieces[i].iov_len;
	return length;
}

static bool ends_line(const struct iovec *pieces, int count)
{
	const struct iovec *last = &pieces[count - 1];

	return last->iov_len && ((const char *)last->iov_base)[last->iov_len - 1] == '\n';
}

static bool append(struct line_writer *writer, const struct iovec *pieces, int count, size_t length)
{
	int i;

	/* Make room for all pieces first, so that no line is left half. */
	if (evbuffer_expand(writer->waiting, length + 1))
		return false;
	if (writer->must_end)
		evbuffer_add(writer->waiting, "\n", 1);
	writer->must_end = false;
	for (i = 0; i < count; i++)
		evbuffer_add(writer->waiting, pieces[i].iov_base, pieces[i].iov_len);
	return true;
}

/* ---- The interface ---------------------------------------------------------------- */

static int open_writer(struct line_writer **ret_writer)
{
	struct line_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->waiting = evbuffer_new();
	if (!writer->waiting) {
		free(writer);
		return -ENOMEM;
	}
	pthread_mutex_init(&writer->lock, NULL);
	*ret_writer = writer;
	return 0;
}

int line_writer_open(int fd, struct line_writer **ret_writer)
{
	int error = open_writer(ret_writer);

	if (!error)
		set_fd(*ret_writer, fd);
	return error;
}

int line_writer_open_syslog(struct syslog_socket *syslog, struct line_writer **ret_writer)
{
	int error = open_writer(ret_writer);

	if (error) {
		syslog_socket_close(syslog);
		return error;
	}
	(*ret_writer)->way = BY_SYSLOG;
	(*ret_writer)->syslog = syslog;
	return 0;
}

void line_writer_close(struct line_writer *writer)
{
	if (!writer)
		return;
	flush(writer);
	close_own(writer);
	syslog_socket_close(writer->syslog);
	evbuffer_free(writer->waiting);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

void line_writer_watch(struct line_writer *writer, line_writer_attention_fn *fn, void *context)
{
	pthread_mutex_lock(&writer->lock);
	writer->attention = fn;
	writer->context = context;
	pthread_mutex_unlock(&writer->lock);
}

void line_writer_replace(struct line_writer *writer, int fd)
{
	pthread_mutex_lock(&writer->lock);
	close_own(writer);
	set_fd(writer, fd);
	flush(writer);
	pthread_mutex_unlock(&writer->lock);
}

int line_writer_fd(const struct line_writer *writer)
{
	return writer->syslog ? syslog_socket_fd(writer->syslog) : writer->fd;
}

static void push(struct line_writer *writer)
{
	flush(writer);
	if (writer->attention && needs_attention(writer))
		writer->attention(writer->context);
}

static size_t limit_of(enum line_rank rank)
{
	switch (rank) {
	case LINE_OUTPUT:
		return LINE_WRITER_LIMIT;
	case LINE_LOG:
		return LINE_WRITER_LIMIT + LINE_WRITER_RESERVE;
	case LINE_END:
		break;
	}
	return SIZE_MAX;
}

bool line_writer_add(struct line_writer *writer, enum line_rank rank, const struct iovec *pieces,
		     int count)
{
	size_t length = length_of(pieces, count);
	bool added;

	pthread_mutex_lock(&writer->lock);
	added = evbuffer_get_length(writer->waiting) < limit_of(rank) &&
		append(writer, pieces, count, length);
	if (!added)
		add_losses(writer, ends_line(pieces, count), length);
	if (rank == LINE_LOG)
		push(writer);
	pthread_mutex_unlock(&writer->lock);
	return added;
}

void line_writer_push(struct line_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	push(writer);
	pthread_mutex_unlock(&writer->lock);
}

void line_writer_lose(struct line_writer *writer, uint64_t lines, uint64_t bytes)
{
	pthread_mutex_lock(&writer->lock);
	add_losses(writer, lines, bytes);
	pthread_mutex_unlock(&writer->lock);
}

size_t line_writer_flush(struct line_writer *writer)
{
	size_t length;

	pthread_mutex_lock(&writer->lock);
	flush(writer);
	length = evbuffer_get_length(writer->waiting);
	pthread_mutex_unlock(&writer->lock);
	return length;
}

struct line_losses line_writer_losses(struct line_writer *writer)
{
	struct line_losses losses;

	pthread_mutex_lock(&writer->lock);
	losses = writer->losses;
	pthread_mutex_unlock(&writer->lock);
	return losses;
}

bool line_writer_take_losses(struct line_writer *writer, struct line_losses *ret_losses)
{
	bool are_there;

	pthread_mutex_lock(&writer->lock);
	are_there = !writer->failed && writer->losses.bytes != writer->told.bytes &&
		    evbuffer_get_length(writer->waiting) < LINE_WRITER_LIMIT / 2;
	if (are_there) {
		ret_losses->lines = writer->losses.lines - writer->told.lines;
		ret_losses->bytes = writer->losses.bytes - writer->told.bytes;
		writer->told = writer->losses;
	}
	pthread_mutex_unlock(&writer->lock);
	return are_there;
}
