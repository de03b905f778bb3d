/* SPDX-License-Identifier: MIT */
/*
 * Passes messages between workers on, as setupPrimary() of @socket.io/cluster-adapter and of
 * @socket.io/cluster-engine do in Node.js's primary. A message goes to all other workers. An answer
 * goes only to the worker that asked, which is found by the ids in its earlier messages. The bytes
 * of a message are not changed.
 */
#ifndef STICKY_NODE_RELAY_H
#define STICKY_NODE_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "node/node_message.h"

struct relay;
struct relay_member;

/*
 * Send a message to a member's worker, whose format may be the other one. The message is borrowed.
 */
typedef void relay_send_fn(void *context, const struct node_message *message);

/* Make a relay without members. Returns 0 or -ENOMEM. */
int relay_open(struct relay **ret_relay);

/* Free the relay. All members must have left. NULL is allowed. */
void relay_close(struct relay *relay);

/* Add a worker, with the function that sends to it. Returns 0 or -ENOMEM. */
int relay_join(struct relay *relay, relay_send_fn *send, void *context,
	       struct relay_member **ret_member);

/* Remove a worker, and free its member. NULL is allowed. */
void relay_leave(struct relay_member *member);

/*
 * End a member, as its worker has ended, or has closed its channel. The other workers get the
 * messages that the worker's adapters would have sent when closed. Without them, a worker that asks
 * all others would wait for an answer of this one in vain.
 */
void relay_end(struct relay_member *member);

/*
 * Pass on a worker's message. Returns false if it is no message of these two modules, or no value
 * of its format: a worker that receives such bytes would end.
 */
bool relay_pass(struct relay_member *member, const struct node_message *message);

/* Does a message hold a Buffer in its form in JSON: {"type":"Buffer","data":[...]}? */
bool relay_has_buffer(const struct node_message *message);

#endif
