/* SPDX-License-Identifier: MIT */
/*
 * Delivery: gives connections that we accepted to the workers of their slots. The one place that
 * does so, whatever a worker's contract is: how one is reached, its *endpoint* knows.
 *
 * A connection is passed on at once where its slot has a worker. Else it waits with us: for
 * `retries` times `delay_ms`, then it gets the answer that says so. Our duplicate is kept until
 * the worker has accepted; if the worker dies first, or gives it back, the connection goes to the
 * slot's next life. Nothing polls: whoever waits is woken by the worker, by the client that goes
 * away, or by the time.
 *
 * All calls but delivery_submit() are for the loop's own thread.
 */
#ifndef STICKY_HANDOFF_DELIVERY_H
#define STICKY_HANDOFF_DELIVERY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/channel.h"
#include "handoff/error_response.h"
#include "sticky.h"

struct delivery;
struct worker_endpoint;

/* Counters only grow; they may lie in memory that outlives the process. */
struct delivery_counters {
	uint64_t handed;      /* accepted by workers */
	uint64_t retried;     /* looks at slots that had no worker */
	uint64_t answered;    /* that their worker is away */
	uint64_t client_gone; /* while they waited */
	uint64_t handed_of[STICKY_SLOTS_LIMIT];
};

struct delivery_options {
	struct event_base *base;
	struct sticky_group *group;
	struct delivery_counters *counters; /* stay the caller's */
};

/* May change while it runs. */
struct delivery_limits {
	uint32_t retries;
	uint32_t delay_ms;
	uint32_t max_held; /* how many may wait: then the oldest gets its answer early */
	enum down_answer answer;
};

/* Returns 0 or -errno. */
int delivery_open(const struct delivery_options *options, const struct delivery_limits *limits,
		  struct delivery **ret_delivery);

/* Whoever waits is closed. All endpoints must be. NULL is allowed. */
void delivery_close(struct delivery *delivery);

void delivery_set_limits(struct delivery *delivery, const struct delivery_limits *limits);

/* A connection for delivery_submit(). */
struct delivery_item {
	int fd; /* non-blocking */
	enum channel_source source;
	union channel_address client; /* whose slot it goes to; the worker is told it */
};

/*
 * Take a connection over. From any thread; costs a lock, and a system call where the loop sleeps.
 * Returns 0, or -ENOMEM: it stays the caller's.
 */
int delivery_submit(struct delivery *delivery, const struct delivery_item *item);

/* Place now who was submitted by now. */
void delivery_take_in(struct delivery *delivery);

/* The table has changed: whoever waits may have another slot. */
void delivery_table_changed(struct delivery *delivery);

/*
 * No worker will come any more: who was submitted is placed, and whoever waits for a slot that
 * nobody has gets the answer, now and from now on.
 */
void delivery_give_up(struct delivery *delivery);

/* Connections that wait, of a slot, or in all. */
uint32_t delivery_waiting_of(const struct delivery *delivery, uint32_t slot);
uint32_t delivery_waiting(const struct delivery *delivery);

/* ---- Worker endpoints -------------------------------------------------------------------------
 */

struct worker_endpoint_ops {
	/*
	 * Pass a connection on; the descriptor stays the delivery's until
	 * worker_endpoint_accepted(). Returns 0, -EAGAIN (worker_endpoint_resume() will be called),
	 * -ENOBUFS (it is tried again later), or another -errno: the worker can't be reached any
	 * more, its end will be told by worker_endpoint_close().
	 */
	int (*send)(void *context, uint32_t id, const struct delivery_item *item);
};

/*
 * A worker's endpoint, which has no slot yet.
 *
 * on_the_way  connections that the worker may not have accepted yet, at most
 *
 * Returns 0 or -ENOMEM.
 */
int worker_endpoint_open(struct delivery *delivery, uint32_t slot,
			 const struct worker_endpoint_ops *ops, void *context, uint32_t on_the_way,
			 struct worker_endpoint **ret_endpoint);

/* The worker gets its slot's connections from now on; its predecessor gets no more. */
void worker_endpoint_take_slot(struct worker_endpoint *endpoint);

/* It gets no more. What is on its way it may still accept. */
void worker_endpoint_leave_slot(struct worker_endpoint *endpoint);

/* Connections on their way to the worker. */
uint32_t worker_endpoint_on_the_way(const struct worker_endpoint *endpoint);

/* What the worker said of one; ids that are not on their way are passed over. */
void worker_endpoint_accepted(struct worker_endpoint *endpoint, uint32_t id);
void worker_endpoint_refused(struct worker_endpoint *endpoint, uint32_t id);

/* It can be sent to again. */
void worker_endpoint_resume(struct worker_endpoint *endpoint);

/* The worker is gone: what it had not accepted goes to the slot's next life. NULL is allowed. */
void worker_endpoint_close(struct worker_endpoint *endpoint);

#endif
