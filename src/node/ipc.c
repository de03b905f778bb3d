// SPDX-License-Identifier: MIT
#include "node/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/fd_passing.h"

#define READ_SIZE 65536
/* bytes; a larger buffer is freed when it is empty */
#define ROOM_KEPT (1u << 20)
/* bytes; at most this much waits for a worker that does not read */
#define QUEUE_MAX    (32u << 20)
#define READS_A_TURN 16
#define RETRY_MS     10

/* A line that is being sent. */
struct line {
	STAILQ_ENTRY(line) next;
	char *text;
	size_t length, sent;
	int fd; /* sent with the first byte; -1: none, or already sent */
};

STAILQ_HEAD(line_queue, line);

struct node_ipc {
	struct node_ipc_callbacks callbacks;
	int fd;
	struct event *readable, *writable;
	struct event
		/*
		 * after ETOOMANYREFS: the socket may be writable, but no descriptor can be sent
		 */
		*retry;
	struct line_queue queue;
	size_t queued; /* bytes in the queue */
	char *input;
	size_t input_length, input_room;
	size_t searched;  /* so many bytes of the input have no end of a line */
	bool is_skipping; /* a line that is too long, up to its end */
	/* a callback is running: node_ipc_close() leaves the freeing to take_lines() */
	bool is_taking;
	bool is_closed;
};

/* ---- Reading --------------------------------------------------------------------------- */

static ssize_t receive_bytes(int fd, char *bytes, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(FD_PASSING_MAX * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = bytes, .iov_len = size};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	ssize_t length;

	do
		length = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	if (length >= 0)
		fd_passing_close(&header);
	return length < 0 ? -errno : length;
}

static bool make_room(struct node_ipc *ipc)
{
	size_t room = ipc->input_room ? 2 * ipc->input_room : 2 * READ_SIZE;
	char *input;

	if (ipc->input_room - ipc->input_length >= READ_SIZE)
		return true;
	input = realloc(ipc->input, room);
	if (!input)
		return false;
	ipc->input = input;
	ipc->input_room = room;
	return true;
}

static void take_line(struct node_ipc *ipc, const char *text, size_t length)
{
	if (ipc->is_skipping)
		ipc->is_skipping = false;
	else if (length > NODE_IPC_LINE_MAX)
		ipc->callbacks.too_long(ipc->callbacks.context);
	else
		ipc->callbacks.line(ipc->callbacks.context, text, length);
}

/* What is left of the input has no end of a line. */
static void keep_rest(struct node_ipc *ipc, size_t begin)
{
	memmove(ipc->input, ipc->input + begin, ipc->input_length - begin);
	ipc->input_length -= begin;
	if (!ipc->is_skipping && ipc->input_length > NODE_IPC_LINE_MAX) {
		ipc->is_skipping = true;
		ipc->callbacks.too_long(ipc->callbacks.context);
	}
	if (ipc->is_skipping)
		ipc->input_length = 0;
	ipc->searched = ipc->input_length;
	if (!ipc->input_length && ipc->input_room > ROOM_KEPT) {
		free(ipc->input);
		ipc->input = NULL;
		ipc->input_room = 0;
	}
}

/* Returns false if a callback closed the channel, which is freed then. */
static bool take_lines(struct node_ipc *ipc)
{
	size_t begin = 0, from = ipc->searched;
	char *end;

	ipc->is_taking = true;
	while (!ipc->is_closed &&
	       (end = memchr(ipc->input + from, '\n', ipc->input_length - from))) {
		take_line(ipc, ipc->input + begin, (size_t)(end - ipc->input) - begin);
		begin = from = (size_t)(end - ipc->input) + 1;
	}
	if (!ipc->is_closed)
		keep_rest(ipc, begin);
	ipc->is_taking = false;
	if (ipc->is_closed) {
		node_ipc_close(ipc);
		return false;
	}
	return true;
}

static void end_channel(struct node_ipc *ipc)
{
	event_del(ipc->readable);
	event_del(ipc->writable);
	event_del(ipc->retry);
	ipc->callbacks.end(ipc->callbacks.context);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct node_ipc *ipc = context;
	ssize_t length;
	int reads;

	(void)what;
	for (reads = 0; reads < READS_A_TURN; reads++) {
		if (!make_room(ipc)) {
			/*
			 * The worker may have a duplicate of the controller's end, so that closing
			 * it would not reach the worker as an end of the stream. shutdown() does.
			 */
			shutdown(ipc->fd, SHUT_RDWR);
			end_channel(ipc);
			return;
		}
		length = receive_bytes(fd, ipc->input + ipc->input_length, READ_SIZE);
		if (length == -EAGAIN)
			return;
		if (length <= 0) {
			end_channel(ipc);
			return;
		}
		ipc->input_length += (size_t)length;
		if (!take_lines(ipc))
			return;
	}
}

/* ---- Sending ------------------------------------------------------------------------------ */

static void free_line(struct line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	free(line->text);
	free(line);
}

/*
 * Send the rest of a line. Returns 0; -EAGAIN or -ETOOMANYREFS if a part of it must wait; or
 * another -errno if the worker has closed its end.
 */
static int send_line(struct node_ipc *ipc, struct line *line)
{
	while (line->sent < line->length) {
		ssize_t sent = fd_passing_send(ipc->fd, line->text + line->sent,
					       line->length - line->sent, line->fd);

		if (sent < 0)
			return (int)sent;
		line->sent += (size_t)sent;
		if (line->fd >= 0)
			close(line->fd);
		line->fd = -1;
	}
	return 0;
}

/* If the event can't be added, try again in the loop's next turn, so that no line is forgotten. */
static void wait_to_send(struct node_ipc *ipc, int error)
{
	static const struct timeval pause = {.tv_usec = RETRY_MS * 1000};

	if (error == -ETOOMANYREFS ? event_add(ipc->retry, &pause) : event_add(ipc->writable, NULL))
		event_active(ipc->retry, EV_TIMEOUT, 0);
}

static bool must_wait(int error)
{
	return error == -EAGAIN || error == -ETOOMANYREFS;
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct node_ipc *ipc = context;
	struct line *line;
	int error = 0;

	(void)fd;
	(void)what;
	while (!error && (line = STAILQ_FIRST(&ipc->queue))) {
		error = send_line(ipc, line);
		if (error)
			break;
		STAILQ_REMOVE_HEAD(&ipc->queue, next);
		ipc->queued -= line->length;
		free_line(line);
	}
	if (must_wait(error))
		wait_to_send(ipc, error);
	else if (!error)
		ipc->callbacks.drained(ipc->callbacks.context);
	/* Any other error means that the channel has ended: reading reports it. */
}

/* text: taken over, also on errors; its last byte becomes the end of the line */
static struct line *new_line(char *text, size_t length, int fd)
{
	struct line *line = text ? calloc(1, sizeof(*line)) : NULL;

	if (!line) {
		free(text);
		return NULL;
	}
	text[length] = '\n';
	line->text = text;
	line->length = length + 1;
	line->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return line;
}

static int send_text(struct node_ipc *ipc, char *text, size_t length, int fd)
{
	struct line *line = new_line(text, length, fd);
	int error;

	if (!line)
		return -ENOMEM;
	if (fd >= 0 && line->fd < 0) {
		free_line(line);
		return -EMFILE;
	}
	if (ipc->queued + line->length > QUEUE_MAX) {
		free_line(line);
		return -ENOBUFS;
	}
	error = STAILQ_EMPTY(&ipc->queue) ? send_line(ipc, line) : -EAGAIN;
	if (!must_wait(error)) {
		free_line(line);
		return error ? -EPIPE : 0;
	}
	if (STAILQ_EMPTY(&ipc->queue))
		wait_to_send(ipc, error);
	STAILQ_INSERT_TAIL(&ipc->queue, line, next);
	ipc->queued += line->length;
	return 0;
}

int node_ipc_send(struct node_ipc *ipc, json_t *message, int fd)
{
	char *text = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(message);
	/* The place of the terminating NUL, which is not needed, is that of the end of the line. */
	return send_text(ipc, text, text ? strlen(text) : 0, fd);
}

int node_ipc_send_line(struct node_ipc *ipc, const char *text, size_t length)
{
	char *copy = malloc(length + 1);

	if (copy)
		memcpy(copy, text, length);
	return send_text(ipc, copy, length, -1);
}

bool node_ipc_is_busy(const struct node_ipc *ipc)
{
	return !STAILQ_EMPTY(&ipc->queue);
}

int node_ipc_fd(const struct node_ipc *ipc)
{
	return ipc->fd;
}

/* ---- Open and close ------------------------------------------------------------------------- */

int node_ipc_open(struct event_base *base, int fd, const struct node_ipc_callbacks *callbacks,
		  struct node_ipc **ret_ipc)
{
	struct node_ipc *ipc = calloc(1, sizeof(*ipc));

	if (!ipc)
		return -ENOMEM;
	ipc->callbacks = *callbacks;
	ipc->fd = -1;
	STAILQ_INIT(&ipc->queue);
	ipc->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, ipc);
	ipc->writable = event_new(base, fd, EV_WRITE, on_writable, ipc);
	ipc->retry = evtimer_new(base, on_writable, ipc);
	if (!ipc->readable || !ipc->writable || !ipc->retry || event_add(ipc->readable, NULL)) {
		node_ipc_close(ipc);
		return -ENOMEM;
	}
	ipc->fd = fd;
	*ret_ipc = ipc;
	return 0;
}

void node_ipc_close(struct node_ipc *ipc)
{
	struct line *line;

	if (!ipc)
		return;
	ipc->is_closed = true;
	if (ipc->is_taking)
		return;
	while ((line = STAILQ_FIRST(&ipc->queue))) {
		STAILQ_REMOVE_HEAD(&ipc->queue, next);
		free_line(line);
	}
	if (ipc->readable)
		event_free(ipc->readable);
	if (ipc->writable)
		event_free(ipc->writable);
	if (ipc->retry)
		event_free(ipc->retry);
	if (ipc->fd >= 0)
		close(ipc->fd);
	free(ipc->input);
	free(ipc);
}
