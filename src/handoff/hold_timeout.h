/* SPDX-License-Identifier: MIT */
/*
 * The stand-in: answers for a slot that no worker has. Connections wait in the slot's holding
 * sockets, in the kernel; only those that have waited out their time are accepted here, and
 * get the 502.
 *
 * The queue is first in, first out, and nobody else accepts from it: its sampled length tells
 * how long each has waited. A connection is answered once it has waited for `budget_ms`, never
 * before, and at most one `delay_ms` later. While a queue is empty nothing runs.
 */
#ifndef STICKY_HANDOFF_HOLD_TIMEOUT_H
#define STICKY_HANDOFF_HOLD_TIMEOUT_H

#include <event2/event.h>
#include <stdint.h>

#include "handoff/error_response.h"
#include "sticky.h"

struct hold_timeout;

/*
 * answered  counts the clients that were answered; stays the caller's
 *
 * Returns 0 or -ENOMEM. hold_timeout_set_limits() comes next.
 */
int hold_timeout_open(struct event_base *base, struct sticky_group *group, uint64_t *answered,
		      struct hold_timeout **ret_standin);

/* NULL is allowed. */
void hold_timeout_close(struct hold_timeout *hold_timeout);

/*
 * For slots that are held from now on.
 *
 * retries   how often a client's slot is looked at again, before it is answered
 * delay_ms  between two looks; the budget is the product
 */
void hold_timeout_set_limits(struct hold_timeout *hold_timeout, uint32_t retries, uint32_t delay_ms,
			     enum down_answer answer);

/* A slot is held from now on: watch its holding sockets. Returns 0 or -ENOMEM. */
int hold_timeout_watch(struct hold_timeout *hold_timeout, uint32_t slot);

/* It is about to change hands: forget its sockets. */
void hold_timeout_unwatch(struct hold_timeout *hold_timeout, uint32_t slot);

#endif
