// SPDX-License-Identifier: MIT
#include "node/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/node_input.h"
#include "node/v8_value.h"
#include "wire/fd_passing.h"

#define READ_SIZE 65536
/* at most so many bytes wait for a worker that does not read */
#define QUEUE_MAX    (32u << 20)
#define READS_A_TURN 16
#define RETRY_MS     10

/* A message that is being sent. */
struct line {
	STAILQ_ENTRY(line) next;
	char *text; /* the bytes, with the end of the line, or with the length in front */
	size_t length, sent;
	int fd; /* sent with the first byte; -1: none, or already sent */
};

STAILQ_HEAD(line_queue, line);

struct node_ipc {
	struct node_ipc_callbacks callbacks;
	int fd;
	struct event *readable, *writable;
	/* runs after ETOOMANYREFS: the socket may be writable, but no descriptor can be sent */
	struct event *retry;
	struct line_queue queue;
	size_t queued; /* bytes in the queue */
	struct node_input input;
	/*
	 * the callback `message` is running: node_ipc_close() leaves the freeing to take_messages()
	 */
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

/*
 * Hand all whole messages to the callback. Returns false if it closed the channel, which is then
 * freed.
 */
static bool take_messages(struct node_ipc *ipc)
{
	enum node_input_result result;
	struct node_message message;

	ipc->is_taking = true;
	while (!ipc->is_closed &&
	       (result = node_input_next(&ipc->input, &message)) != NODE_INPUT_NEEDS_MORE) {
		if (result == NODE_INPUT_MESSAGE)
			ipc->callbacks.message(ipc->callbacks.context, &message);
		else
			ipc->callbacks.too_long(ipc->callbacks.context);
	}
	ipc->is_taking = false;
	if (ipc->is_closed) {
		node_ipc_close(ipc);
		return false;
	}
	node_input_settle(&ipc->input);
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
	char *room;
	int reads;

	(void)what;
	for (reads = 0; reads < READS_A_TURN; reads++) {
		room = node_input_room(&ipc->input, READ_SIZE);
		if (!room) {
			/*
			 * Closing the controller's end would not reach the worker as the end of the
			 * stream, as the worker may have a duplicate of it. shutdown() does.
			 */
			shutdown(ipc->fd, SHUT_RDWR);
			end_channel(ipc);
			return;
		}
		length = receive_bytes(fd, room, READ_SIZE);
		if (length == -EAGAIN)
			return;
		if (length <= 0) {
			end_channel(ipc);
			return;
		}
		node_input_add(&ipc->input, (size_t)length);
		if (!take_messages(ipc))
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

/*
 * Wait until the queue can be sent on. If the event can't be added, try again in the loop's next
 * turn, so that no message is forgotten.
 */
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
	/* Any other error means that the channel has ended, which on_readable() reports. */
}

/* Make a message for the queue, with a duplicate of `fd`. text: taken over, also on errors. */
static struct line *new_line(char *text, size_t length, int fd)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line) {
		free(text);
		return NULL;
	}
	line->text = text;
	line->length = length;
	line->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return line;
}

/* Send a message, or put it into the queue. text: the whole message; taken over, also on errors. */
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

static void write_length(char *header, size_t length)
{
	int i;

	for (i = 0; i < NODE_MESSAGE_HEADER; i++)
		header[i] = (char)(length >> (8 * (NODE_MESSAGE_HEADER - 1 - i)));
}

static int write_advanced(const json_t *message, char **ret_text, size_t *ret_length)
{
	int error = v8_from_json(message, NODE_MESSAGE_HEADER, ret_text, ret_length);

	if (!error)
		write_length(*ret_text, *ret_length - NODE_MESSAGE_HEADER);
	return error;
}

static int write_json(const json_t *message, char **ret_text, size_t *ret_length)
{
	char *text = json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		return -ENOMEM;
	/* The end of the line takes the place of the terminating NUL, which is not needed. */
	*ret_length = strlen(text) + 1;
	text[*ret_length - 1] = '\n';
	*ret_text = text;
	return 0;
}

int node_ipc_send(struct node_ipc *ipc, json_t *message, int fd)
{
	char *text = NULL;
	size_t length = 0;
	int error = ipc->input.format == NODE_FORMAT_JSON ? write_json(message, &text, &length)
							  : write_advanced(message, &text, &length);

	json_decref(message);
	return error ? error : send_text(ipc, text, length, fd);
}

int node_ipc_pass(struct node_ipc *ipc, const struct node_message *message)
{
	bool is_json = message->format == NODE_FORMAT_JSON;
	size_t header = is_json ? 0 : NODE_MESSAGE_HEADER, length = header + message->length;
	json_t *value;
	char *text;

	if (message->format != ipc->input.format) {
		value = node_message_load(message);
		return value ? node_ipc_send(ipc, value, -1) : -EBADMSG;
	}
	text = malloc(length + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text + header, message->bytes, message->length);
	if (is_json)
		text[length++] = '\n';
	else
		write_length(text, message->length);
	return send_text(ipc, text, length, -1);
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

int node_ipc_open(struct event_base *base, const struct node_ipc_end *end,
		  const struct node_ipc_callbacks *callbacks, struct node_ipc **ret_ipc)
{
	struct node_ipc *ipc = calloc(1, sizeof(*ipc));

	if (!ipc)
		return -ENOMEM;
	ipc->callbacks = *callbacks;
	ipc->fd = -1;
	node_input_init(&ipc->input, end->format, end->is_adopted);
	STAILQ_INIT(&ipc->queue);
	ipc->readable = event_new(base, end->fd, EV_READ | EV_PERSIST, on_readable, ipc);
	ipc->writable = event_new(base, end->fd, EV_WRITE, on_writable, ipc);
	ipc->retry = evtimer_new(base, on_writable, ipc);
	if (!ipc->readable || !ipc->writable || !ipc->retry || event_add(ipc->readable, NULL)) {
		node_ipc_close(ipc);
		return -ENOMEM;
	}
	ipc->fd = end->fd;
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
	node_input_fini(&ipc->input);
	free(ipc);
}
