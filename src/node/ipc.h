/* SPDX-License-Identifier: MIT */
/*
 * The parent's side of Node.js's IPC channel: a UNIX stream socket with messages in one of two
 * formats (node_message.h). A descriptor is sent with the first byte of its message. Messages that
 * can't be sent at once are queued. A message is always sent whole, as a part of one would end the
 * channel in Node.js. See lib/internal/child_process.js of Node.js, and serialization.js beside it.
 */
#ifndef STICKY_NODE_IPC_H
#define STICKY_NODE_IPC_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "node/node_message.h"

struct node_ipc;

struct node_ipc_callbacks {
	/*
	 * A message has arrived; borrowed. Its bytes need not be a value of its format. This
	 * callback may close the channel.
	 */
	void (*message)(void *context, const struct node_message *message);
	/* A message is longer than NODE_MESSAGE_MAX (node_input.h). It is skipped. */
	void (*too_long)(void *context);
	/* The worker has closed its end of the channel. */
	void (*end)(void *context);
	/* The queue of messages is empty again. */
	void (*drained)(void *context);
	void *context;
};

struct node_ipc_end {
	int fd; /* non-blocking; taken over if node_ipc_open() succeeds */
	enum node_format format;
	/*
	 * A previous controller may have read the beginning of a message. The rest of the message
	 * arrives as a message that is no JSON; with NODE_FORMAT_ADVANCED the rest is left out.
	 */
	bool is_adopted;
};

/* Open the controller's end of a channel. Returns 0 or -ENOMEM. */
int node_ipc_open(struct event_base *base, const struct node_ipc_end *end,
		  const struct node_ipc_callbacks *callbacks, struct node_ipc **ret_ipc);

/*
 * Send a message.
 *
 * message  taken over, also on errors
 * fd       a descriptor to send with it; a duplicate is sent, and the caller keeps it; -1: none
 *
 * Returns 0, -ENOBUFS (too much is queued already: nothing was sent), -EPIPE, -EMFILE, -ENOMEM, or
 * -E2BIG (it is nested too deeply for v8_from_json()).
 */
int node_ipc_send(struct node_ipc *ipc, json_t *message, int fd);

/*
 * Send the bytes of another worker's message; borrowed. A message in the other format is converted.
 *
 * Returns as node_ipc_send(), or -EBADMSG: the message can't be converted.
 */
int node_ipc_pass(struct node_ipc *ipc, const struct node_message *message);

/* Are there messages in the queue? */
bool node_ipc_is_busy(const struct node_ipc *ipc);

/* Returns the controller's end of the channel. */
int node_ipc_fd(const struct node_ipc *ipc);

/* Close the channel, and free it. A callback may do this. NULL is allowed. */
void node_ipc_close(struct node_ipc *ipc);

#endif
