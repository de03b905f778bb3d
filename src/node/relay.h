/* SPDX-License-Identifier: MIT */
/*
 * Messages between workers, as setupPrimary() of @socket.io/cluster-adapter and of
 * @socket.io/cluster-engine pass them on in Node.js's primary. A message goes to all other workers;
 * an answer goes to the worker that asked, which is known by the ids in its earlier messages. The
 * bytes of a message are passed on as they came.
 */
#ifndef STICKY_NODE_RELAY_H
#define STICKY_NODE_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "node/node_message.h"

struct relay;
struct relay_member;

/* Sends a message to a member's worker, whose format may be the other one. Borrowed. */
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
 * A member's worker has ended, or has closed its channel. The other workers get the messages that
 * its adapters would have sent when closed; else a worker that asks all others would wait for its
 * answer in vain.
 */
void relay_end(struct relay_member *member);

/*
 * Pass on a worker's message. Returns false if it is no message of these two modules, or no value
 * of its format: a worker would end at bytes that are none.
 */
bool relay_pass(struct relay_member *member, const struct node_message *message);

/* Does a message hold a Buffer as JSON has it: {"type":"Buffer","data":[...]}? */
bool relay_has_buffer(const struct node_message *message);

#endif
