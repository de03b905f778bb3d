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

struct node_ipc;

struct node_ipc_callbacks {
	/* A message has arrived; it is borrowed. This callback may close the channel. */
	void (*message)(void *context, const json_t *message);
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
 *     of a line from it: the rest of that line is skipped
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

/* Are there messages in the queue? */
bool node_ipc_is_busy(const struct node_ipc *ipc);

/* Returns the controller's end of the channel. */
int node_ipc_fd(const struct node_ipc *ipc);

/* Close the channel, and free it. A callback may do this. NULL is allowed. */
void node_ipc_close(struct node_ipc *ipc);

#endif
