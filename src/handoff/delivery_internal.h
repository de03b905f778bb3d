/* SPDX-License-Identifier: MIT */
/*
 * The state of the delivery, which delivery.c, delivery_wait.c and worker_endpoint.c share. No
 * other file includes it.
 */
#ifndef STICKY_HANDOFF_DELIVERY_INTERNAL_H
#define STICKY_HANDOFF_DELIVERY_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "handoff/carried.h"
#include "handoff/delivery.h"
#include "handoff/exits.h"

/* A connection. There may be tens of thousands, so that the structure is kept small. */
struct connection {
	TAILQ_ENTRY(connection) in_slot; /* in the list of its slot, or of its worker */
	/* while it waits: in the list for a worker or for room */
	TAILQ_ENTRY(connection) in_order;
	STAILQ_ENTRY(connection) in_intake;
	struct delivery_item item;
	uint32_t slot;
	uint32_t id; /* of the last message that sent it; 0: it was never sent */
	/* start of its budget, which begins anew when its slot gets or loses a worker */
	uint64_t since_ms;
	uint64_t wait_begun_ms; /* start of its wait, for the statistics */
	bool is_watched;	/* gone_fd reports when the client closes */
};

TAILQ_HEAD(connection_list, connection);
STAILQ_HEAD(connection_queue, connection);

struct delivery_slot {
	struct worker_endpoint *present; /* the worker that has the slot; NULL: there is none */
	struct connection_list waiting;
	uint32_t waiting_count;
};

struct worker_endpoint {
	LIST_ENTRY(worker_endpoint) in_delivery;
	struct delivery *delivery;
	const struct worker_endpoint_ops *ops;
	void *context;
	uint32_t slot;
	uint64_t generation; /* of the worker; 0: it has not been named */
	uint32_t limit;
	uint32_t count; /* number of connections that were sent, and not accepted yet */
	uint64_t accepted;
	bool is_blocked;
	struct event *retry; /* timer after -ENOBUFS, which no event follows */
	struct connection_list on_the_way;
};

LIST_HEAD(endpoint_list, worker_endpoint);

struct delivery {
	struct delivery_options options;
	struct delivery_limits limits;
	struct delivery_slot slots[STICKY_SLOTS_LIMIT];
	/* connections of a slot without a worker: they wait for a limited time */
	struct connection_list waiting_for_worker;
	/* their worker may not be sent more connections at the moment */
	struct connection_list waiting_for_room;
	uint32_t waiting;
	struct histogram waits; /* see delivery_waits() */
	struct endpoint_list endpoints;
	struct carried expected; /* see delivery_expect(); an entry that was taken over has no fd */
	bool has_given_up;	 /* see delivery_give_up() */
	uint32_t next_id;
	struct event *expiry; /* timer: the first connection of waiting_for_worker is due */
	int gone_fd;	      /* an epoll set, which reports clients that close while they wait */
	struct event *gone;
	/*
	 * Other threads submit connections to the loop's thread by the list `intake`, with this
	 * lock.
	 */
	pthread_mutex_t lock;
	struct connection_queue intake;
	uint32_t intake_count;
	int intake_fd; /* an eventfd: readable while the intake is not empty */
	struct event *arrival;
};

/* ---- delivery_wait.c: connections that wait for a worker ------------------------------ */

/* Open the events that end a wait: its time is over, or the client closes. Returns 0 or -errno. */
int delivery_wait_open(struct delivery *delivery);

/* Close the waiting connections, and the events. */
void delivery_wait_close(struct delivery *delivery);

/*
 * Let a connection wait in its slot.
 *
 * first  a worker gave it back: it waits in front of the connections that were not sent yet
 */
void delivery_wait_begin(struct delivery *delivery, struct connection *connection, bool first);

/* Take a connection out of the lists. The client's end is not reported any more. */
void delivery_wait_end(struct delivery *delivery, struct connection *connection);

/* End the wait of a connection by an error response, and free it. */
void delivery_wait_answer(struct delivery *delivery, struct connection *connection);

/* Answer all connections of slots without a worker. */
void delivery_wait_answer_all(struct delivery *delivery);

/* If more connections wait than may, answer the oldest ones. */
void delivery_wait_enforce_limit(struct delivery *delivery);

/* Set the timer that ends the wait of the first connection of a slot without a worker. */
void delivery_wait_set_expiry(struct delivery *delivery);

/*
 * Set the worker of a slot, or NULL. The slot's waiting connections move to the list for room, or
 * for a worker.
 */
void delivery_wait_set_worker(struct delivery *delivery, uint32_t slot,
			      struct worker_endpoint *endpoint);

/* ---- worker_endpoint.c: sending to a worker ------------------------------------------- */

/* Can more connections be sent to the worker at the moment? */
bool worker_endpoint_has_room(const struct worker_endpoint *endpoint);

/* Send a connection. Returns false if no more can be sent to the worker at the moment. */
bool worker_endpoint_send(struct worker_endpoint *endpoint, struct connection *connection);

/* ---- delivery.c: placing connections in slots ----------------------------------------- */

/*
 * Find the slot of a connection, and send the connection to the slot's worker. The connection waits
 * if the slot has no worker, or if other connections of the slot wait already.
 *
 * first  if it has to wait, it waits in front of the others
 */
void delivery_place(struct delivery *delivery, struct connection *connection, bool first);

/* Send the waiting connections of a slot, as far as its worker has room. */
void delivery_pump(struct delivery *delivery, uint32_t slot);

/* Give a slot to a worker, or to none (NULL). */
void delivery_set_worker(struct delivery *delivery, uint32_t slot,
			 struct worker_endpoint *endpoint);

#endif
