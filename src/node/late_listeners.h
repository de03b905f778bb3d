/* SPDX-License-Identifier: MIT */
/*
 * The ports of one Node.js worker where -l names none. An application opens its ports one after the
 * other, each when it likes, and perhaps some of them in one worker only. This file decides when
 * the worker is READY, and which listeners of the group it does not serve:
 *
 * - The first workers are READY at their first port.
 * - A successor is READY when it listens on all that the slot's previous worker did, or after
 *   LATE_MS at the latest.
 * - A listener on which it does not listen by then is not served by it: clients of its slot go to
 *   other workers there. When it listens later, it gets them back.
 */
#ifndef STICKY_NODE_LATE_LISTENERS_H
#define STICKY_NODE_LATE_LISTENERS_H

#include <event2/event.h>
#include <stdint.h>

#include "node/node_listeners.h"
#include "supervise/worker.h"

/* How long a worker may take from its first port to its last one. */
#define LATE_MS 10000

struct late_listeners;

struct late_listeners_options {
	struct event_base *base;
	struct worker *worker;
	struct node_listeners *ports;
	uint32_t ready_timeout_ms;
};

/* Returns 0 or -ENOMEM. */
int late_listeners_open(const struct late_listeners_options *options,
			struct late_listeners **ret_late);

/* NULL is allowed. */
void late_listeners_close(struct late_listeners *late);

/* The worker was adopted; it listens on these listeners, a bit each. */
void late_listeners_adopt(struct late_listeners *late, uint32_t listening);

/* The worker calls listen(), and gets its socket. */
void late_listeners_ask(struct late_listeners *late, uint32_t listener);

/* The worker listens. May make it READY. */
void late_listeners_add(struct late_listeners *late, uint32_t listener);

/* The worker has closed the server. It may listen again in a moment. */
void late_listeners_remove(struct late_listeners *late, uint32_t listener);

/* Look again: the worker may have become READY by a message. */
void late_listeners_look(struct late_listeners *late);

#endif
