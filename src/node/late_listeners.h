/* SPDX-License-Identifier: MIT */
/*
 * The ports of one Node.js worker where -l names none. An application opens its ports one after the
 * other, and perhaps some of them in one worker only. This file decides when the worker is READY,
 * and which listeners of the group it does not serve:
 *
 * - The first workers are READY at their first port.
 * - A successor is READY when it listens on all ports on which the slot's previous worker did, or
 *   after LATE_MS at the latest.
 * - A listener on which the worker does not listen by then is given up: clients of its slot go to
 *   other workers there. When the worker listens later, it gets these clients back.
 */
#ifndef STICKY_NODE_LATE_LISTENERS_H
#define STICKY_NODE_LATE_LISTENERS_H

#include <event2/event.h>
#include <stdint.h>

#include "node/node_listeners.h"
#include "supervise/worker.h"

/* The longest time from a worker's first port to its last one. */
#define LATE_MS 10000

struct late_listeners;

struct late_listeners_options {
	struct event_base *base;
	struct worker *worker;
	struct node_listeners *ports;
	uint32_t ready_timeout_ms;
};

/* Begin with a worker without ports. Returns 0 or -ENOMEM. */
int late_listeners_open(const struct late_listeners_options *options,
			struct late_listeners **ret_late);

/* Free the state. NULL is allowed. */
void late_listeners_close(struct late_listeners *late);

/* Note that the worker was adopted. listening: the listeners on which it listens, one bit each. */
void late_listeners_adopt(struct late_listeners *late, uint32_t listening);

/* Note that the worker has called listen(), and gets its socket. */
void late_listeners_ask(struct late_listeners *late, uint32_t listener);

/* Note that the worker listens. This may make it READY. */
void late_listeners_add(struct late_listeners *late, uint32_t listener);

/*
 * Note that the worker has closed its server at this listener. Its clients go to other workers only
 * after CLOSED_MS, as the worker may listen again before.
 */
void late_listeners_remove(struct late_listeners *late, uint32_t listener);

/* Look again after a message, which may have made the worker READY. */
void late_listeners_look(struct late_listeners *late);

#endif
