/* SPDX-License-Identifier: MIT */
/*
 * Node.js's IPC channel, the parent's side: one JSON value a line over a UNIX stream socket; a
 * descriptor rides on the first byte of its own line. What is sent is queued, whole lines only:
 * half a line would end the other side. (lib/internal/child_process.js of Node.js, with
 * NODE_CHANNEL_SERIALIZATION_MODE=json.)
 */
#ifndef STICKY_NODE_IPC_H
#define STICKY_NODE_IPC_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

struct node_ipc;

struct node_ipc_callbacks {
	/* A message; borrowed. It may close the channel. */
	void (*message)(void *context, const json_t *message);
	/* The other end is closed. */
	void (*end)(void *context);
	/* What had been queued is on its way. */
	void (*drained)(void *context);
	void *context;
};

/*
 * fd  our end, non-blocking; taken over where this succeeds. A former process may have read a part
 *     of a line from it: the rest is thrown away
 *
 * Returns 0 or -ENOMEM.
 */
int node_ipc_open(struct event_base *base, int fd, const struct node_ipc_callbacks *callbacks,
		  struct node_ipc **ret_ipc);

/*
 * Send a message.
 *
 * message  stolen
 * fd       goes with it; a duplicate is made where it has to wait; -1: none
 *
 * Returns 0, -ENOBUFS (too much waits: it is not sent), -EPIPE, -EMFILE, -ENOMEM.
 */
int node_ipc_send(struct node_ipc *ipc, json_t *message, int fd);

/* Does something wait to be sent? */
bool node_ipc_is_busy(const struct node_ipc *ipc);

/* Our end. */
int node_ipc_fd(const struct node_ipc *ipc);

/* NULL is allowed. */
void node_ipc_close(struct node_ipc *ipc);

#endif
