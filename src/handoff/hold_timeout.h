/* SPDX-License-Identifier: MIT */
/*
 * Answers connections that have waited for too long for a slot without a worker. The connections
 * wait in the slot's holding sockets, in the kernel. Only those that have waited for too long are
 * accepted here, and get an error response.
 *
 * The queue is first in, first out, and no other code accepts from it. So samples of its length
 * tell how long each connection has waited (queue_age.h). A connection is answered when it has
 * waited for retries * delay_ms, never before that, and at most one delay_ms later. While a queue
 * is empty no timer runs.
 */
#ifndef STICKY_HANDOFF_HOLD_TIMEOUT_H
#define STICKY_HANDOFF_HOLD_TIMEOUT_H

#include <event2/event.h>
#include <stdint.h>

#include "common/histogram.h"
#include "handoff/error_response.h"
#include "sticky.h"

struct hold_timeout;

/* Counters of the caller. They only grow. */
struct hold_timeout_counters {
	uint64_t *accepted; /* connections accepted from holding sockets; counted atomically */
	uint64_t *answered; /* error responses */
};

/*
 * Open without watching a slot. Returns 0 or -ENOMEM. Call hold_timeout_set_limits() before
 * anything else.
 */
int hold_timeout_open(struct event_base *base, struct sticky_group *group,
		      const struct hold_timeout_counters *counters,
		      struct hold_timeout **ret_hold_timeout);

/* Stop watching all slots, and free the structure. NULL is allowed. */
void hold_timeout_close(struct hold_timeout *hold_timeout);

/*
 * Set the limits for slots that begin to be held from now on.
 *
 * retries   multiplied by delay_ms: how long a connection may wait
 * delay_ms  between two samples of a queue
 * answer    the answer to the client: an error response, or a plain close()
 */
void hold_timeout_set_limits(struct hold_timeout *hold_timeout, uint32_t retries, uint32_t delay_ms,
			     enum down_answer answer);

/* Watch the holding sockets of a slot that begins to be held. Returns 0 or -ENOMEM. */
int hold_timeout_watch(struct hold_timeout *hold_timeout, uint32_t slot);

/*
 * Returns the times that connections have waited in holding sockets. A wait begins when a look at
 * the queue first finds the connection there. It ends when a worker gets the connection or it is
 * answered. Connections that are moved elsewhere are not counted. The pointer is valid until
 * hold_timeout_close().
 */
const struct histogram *hold_timeout_waits(const struct hold_timeout *hold_timeout);

/* Stop watching, before the slot changes hands and its holding sockets are closed. */
void hold_timeout_unwatch(struct hold_timeout *hold_timeout, uint32_t slot);

/*
 * Count the waits of a slot's connections, and stop watching, as a worker is about to get them. If
 * the worker turns out not to take the slot, they are watched and counted anew.
 */
void hold_timeout_hand_over(struct hold_timeout *hold_timeout, uint32_t slot);

#endif
