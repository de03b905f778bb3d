/* SPDX-License-Identifier: MIT */
/*
 * Delivery passes connections that were accepted in user space to the workers of their slots. Each
 * worker has a *worker endpoint*, which knows how connections reach this kind of worker.
 *
 * A connection is passed on at once where its slot has a worker. Otherwise it waits in this process
 * for `retries` times `delay_ms`, and is then answered with an error. The controller keeps its
 * duplicate of the descriptor until the worker has accepted the connection. If the worker dies
 * before that, or gives the connection back, the slot's next worker gets it. Nothing polls: a
 * waiting connection is looked at again when the worker reports something, when the client closes,
 * or when a timer ends.
 *
 * All functions but delivery_submit() must be called from the thread of the event loop.
 */
#ifndef STICKY_HANDOFF_DELIVERY_H
#define STICKY_HANDOFF_DELIVERY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/channel.h"
#include "common/histogram.h"
#include "handoff/error_response.h"
#include "sticky.h"

struct carried; /* see carried.h */
struct carried_connection;
struct delivery;
struct exit_counters; /* see exits.h */
struct worker_endpoint;

/*
 * Counters only grow. The loop's thread writes them. They may lie in a mapped file, and thus
 * outlive the process.
 */
struct delivery_counters {
	uint64_t handed; /* accepted by workers */
	/* time that connections waited for a slot without a worker, in units of `delay_ms` */
	uint64_t retried;
	uint64_t answered;    /* error responses, as the worker was away for too long */
	uint64_t client_gone; /* connections that the client closed while they waited */
	uint64_t handed_of[STICKY_SLOTS_LIMIT];
};

struct delivery_options {
	struct event_base *base;
	struct sticky_group *group;
	struct delivery_counters *counters; /* owned by the caller, like `exits` */
	struct exit_counters *exits;
};

/* Limits that delivery_set_limits() may change while connections wait. */
struct delivery_limits {
	uint32_t retries;
	uint32_t delay_ms;
	/* connections that may wait; if there are more, the oldest is answered early */
	uint32_t max_held;
	enum down_answer answer;
};

/* Open a delivery without endpoints. Returns 0 or -errno. */
int delivery_open(const struct delivery_options *options, const struct delivery_limits *limits,
		  struct delivery **ret_delivery);

/*
 * Close the waiting connections, and free the delivery. All endpoints must have been closed before.
 * NULL is allowed.
 */
void delivery_close(struct delivery *delivery);

void delivery_set_limits(struct delivery *delivery, const struct delivery_limits *limits);

/* A connection for delivery_submit(). */
struct delivery_item {
	int fd; /* non-blocking */
	enum channel_source source;
	union channel_address client; /* decides the slot; the worker is told this address, too */
};

/*
 * Take a connection over. May be called from any thread. Costs a lock, and a system call if the
 * intake was empty. Returns 0, or -ENOMEM: the descriptor then remains the caller's.
 */
int delivery_submit(struct delivery *delivery, const struct delivery_item *item);

/* Place all connections that have been submitted, without waiting for the event loop. */
void delivery_take_in(struct delivery *delivery);

/*
 * Add connections to `carried`: first those that wait, slot by slot and in their order, then those
 * that are on the way to workers. They also stay here. Returns 0 or -ENOMEM.
 */
int delivery_carry(const struct delivery *delivery, struct carried *carried);

/*
 * Note a connection that the program before an upgrade has sent to a worker. worker_endpoint_name()
 * of this worker will take the connection over. Returns 0, or -ENOMEM: the descriptor then remains
 * the caller's.
 */
int delivery_expect(struct delivery *delivery, const struct carried_connection *sent);

/*
 * Close the noted connections that no endpoint has taken over: their workers may have served them.
 * Call this when all workers have been taken over.
 */
void delivery_end_expecting(struct delivery *delivery);

/*
 * Place the waiting connections anew after the table has changed: they may belong to other slots.
 */
void delivery_table_changed(struct delivery *delivery);

/*
 * Place the submitted connections, as no worker will be started any more. From now on a connection
 * whose slot has no worker is answered with an error at once.
 */
void delivery_give_up(struct delivery *delivery);

/*
 * Returns the times that connections have waited for a worker so far. Connections that went to
 * their worker at once are not counted. The pointer is valid until delivery_close().
 */
const struct histogram *delivery_waits(const struct delivery *delivery);

/* Returns the number of connections that were sent to workers which have not accepted them yet. */
uint32_t delivery_on_the_way(const struct delivery *delivery);

/*
 * Returns the number of connections that were submitted, and that the event loop has not placed
 * yet.
 */
uint32_t delivery_submitted(struct delivery *delivery);

/* Returns the number of waiting connections, of one slot or of all. */
uint32_t delivery_waiting_of(const struct delivery *delivery, uint32_t slot);
uint32_t delivery_waiting(const struct delivery *delivery);

/* ---- Worker endpoints --------------------------------------------------------------- */

struct worker_endpoint_ops {
	/*
	 * Send a connection to the worker. The descriptor remains the delivery's until
	 * worker_endpoint_accepted(). Returns 0, -EAGAIN (the endpoint will call
	 * worker_endpoint_resume()), -ENOBUFS (delivery tries again later), or another -errno: the
	 * worker can't be reached any more, and worker_endpoint_close() will follow.
	 */
	int (*send)(void *context, uint32_t id, const struct delivery_item *item);
};

/*
 * Open the endpoint of a worker that does not have the slot yet.
 *
 * on_the_way  number of connections that may be sent before the worker has accepted the first one
 *
 * Returns 0 or -ENOMEM.
 */
int worker_endpoint_open(struct delivery *delivery, uint32_t slot,
			 const struct worker_endpoint_ops *ops, void *context, uint32_t on_the_way,
			 struct worker_endpoint **ret_endpoint);

/*
 * Tell which worker this is. After an upgrade, the connections on the way to this worker can then
 * be found: those that the previous program has sent to it are added to the ones on the way here.
 * May be called again.
 */
void worker_endpoint_name(struct worker_endpoint *endpoint, uint64_t generation);

/* Give the slot's connections to this worker from now on. Its predecessor gets none any more. */
void worker_endpoint_take_slot(struct worker_endpoint *endpoint);

/* Send no more connections to the worker. It may still accept those that were sent before. */
void worker_endpoint_leave_slot(struct worker_endpoint *endpoint);

/*
 * Returns the number of connections that were sent to the worker, and that it has not accepted yet.
 */
uint32_t worker_endpoint_on_the_way(const struct worker_endpoint *endpoint);

/* Returns the number of connections that the worker has accepted since its endpoint was opened. */
uint64_t worker_endpoint_accepted_count(const struct worker_endpoint *endpoint);

/* Note that the worker has accepted a connection, or gives it back. Unknown ids are ignored. */
void worker_endpoint_accepted(struct worker_endpoint *endpoint, uint32_t id);
void worker_endpoint_refused(struct worker_endpoint *endpoint, uint32_t id);

/*
 * Send to the worker again. The endpoint calls this when sending is possible again after -EAGAIN.
 */
void worker_endpoint_resume(struct worker_endpoint *endpoint);

/*
 * Close the endpoint of a worker that has ended. The connections that the worker had not accepted
 * go to the slot's next worker. NULL is allowed.
 */
void worker_endpoint_close(struct worker_endpoint *endpoint);

#endif
