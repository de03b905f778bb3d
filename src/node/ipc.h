/* SPDX-License-Identifier: MIT */
/*
 * The parent's side of Node.js's IPC channel: a UNIX stream socket with one JSON value on each
 * line. A descriptor is sent with the first byte of its line. Messages that can't be sent at once
 * are queued, and always sent as whole lines: a part of a line would end the channel in Node.js.
 * See lib/internal/child_process.js of Node.js, with NODE_CHANNEL_SERIALIZATION_MODE=json.
 */
#ifndef STICKY_NODE_IPC_H
#define STICKY_NODE_IPC_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

/* The longest line that is read, in bytes. */
#define NODE_IPC_LINE_MAX (16u << 20)

struct node_ipc;

struct node_ipc_callbacks {
	/*
	 * A line came, without its end; borrowed. It need not be JSON. This callback may close the
	 * channel.
	 */
	void (*line)(void *context, const char *text, size_t length);
	/* A line is longer than NODE_IPC_LINE_MAX. It is skipped. */
	void (*too_long)(void *context);
	/* The worker has closed its end of the channel. */
	void (*end)(void *context);
	/* The queue of messages is empty again. */
	void (*drained)(void *context);
	void *context;
};

/*
 * Open the controller's end of a channel.
 *
 * fd  non-blocking; taken over if this succeeds. A previous controller may have read the beginning
 *     of a line from it: the rest of that line comes as a line that is no JSON
 *
 * Returns 0 or -ENOMEM.
 */
int node_ipc_open(struct event_base *base, int fd, const struct node_ipc_callbacks *callbacks,
		  struct node_ipc **ret_ipc);

/*
 * Send a message.
 *
 * message  taken over, also on errors
 * fd       a descriptor to send with it; a duplicate is sent, and the caller keeps it; -1: none
 *
 * Returns 0, -ENOBUFS (too much is queued already: nothing was sent), -EPIPE, -EMFILE or -ENOMEM.
 */
int node_ipc_send(struct node_ipc *ipc, json_t *message, int fd);

/* Send a line that is one JSON value; borrowed. Returns as node_ipc_send(). */
int node_ipc_send_line(struct node_ipc *ipc, const char *text, size_t length);

/* Are there messages in the queue? */
bool node_ipc_is_busy(const struct node_ipc *ipc);

/* Returns the controller's end of the channel. */
int node_ipc_fd(const struct node_ipc *ipc);

/* Close the channel, and free it. A callback may do this. NULL is allowed. */
void node_ipc_close(struct node_ipc *ipc);

#endif
