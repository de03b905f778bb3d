/* SPDX-License-Identifier: MIT */
/*
 * Messages between workers: what setupPrimary() of @socket.io/cluster-adapter, and that of
 * @socket.io/cluster-engine, do in Node.js's primary. A message goes to all other workers, an
 * answer to the one that asked, which is known by the name under which its messages came.
 */
#ifndef STICKY_NODE_RELAY_H
#define STICKY_NODE_RELAY_H

#include <jansson.h>
#include <stdbool.h>

struct relay;
struct relay_member;

/* Send a message to a member's worker; borrowed. */
typedef void relay_send_fn(void *context, const json_t *message);

/* Returns 0 or -ENOMEM. */
int relay_open(struct relay **ret_relay);

/* All members must have left. NULL is allowed. */
void relay_close(struct relay *relay);

/* Returns 0 or -ENOMEM. */
int relay_join(struct relay *relay, relay_send_fn *send, void *context,
	       struct relay_member **ret_member);

/* NULL is allowed. */
void relay_leave(struct relay_member *member);

/*
 * A member's worker is gone, or has closed its channel: the others are told what its adapters would
 * have told them, had they been closed. Otherwise whoever asks all workers waits for it in vain.
 */
void relay_end(struct relay_member *member);

/* A worker's message. Returns false where it is none that is relayed. */
bool relay_pass(struct relay_member *member, const json_t *message);

#endif
