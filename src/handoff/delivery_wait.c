// SPDX-License-Identifier: MIT
/* Connections that wait for a worker, and the end of their wait: see delivery_internal.h. */
#include "handoff/delivery_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/timer.h"

/*
 * A client that has waited for less than this may not have sent its first byte yet. The error
 * response is then delayed until the first byte arrives, which shows whether the client speaks TLS.
 */
#define PATIENT_BELOW_MS 1000
#define PATIENCE_MS	 150
#define GONE_BATCH	 64

static uint64_t budget_ms(const struct delivery *delivery)
{
	return (uint64_t)delivery->limits.retries * delivery->limits.delay_ms;
}

/*
 * Watch for the end of the client. epoll always reports errors and hang-ups. EPOLLRDHUP is not
 * asked for: a client that has closed only its half still waits for an answer.
 */
static void watch_client(struct delivery *delivery, struct connection *connection)
{
	struct epoll_event event = {.events = 0, .data.ptr = connection};

	if (!connection->is_watched)
		connection->is_watched = epoll_ctl(delivery->gone_fd, EPOLL_CTL_ADD,
						   connection->item.fd, &event) == 0;
}

/*
 * Stop watching the client. The close() of a descriptor does not take it out of the epoll set while
 * the worker has a duplicate.
 */
static void unwatch_client(struct delivery *delivery, struct connection *connection)
{
	if (connection->is_watched)
		epoll_ctl(delivery->gone_fd, EPOLL_CTL_DEL, connection->item.fd, NULL);
	connection->is_watched = false;
}

void delivery_wait_set_expiry(struct delivery *delivery)
{
	const struct connection *first = TAILQ_FIRST(&delivery->waiting_for_worker);
	uint64_t now = clock_ms(), due;

	if (!first) {
		event_del(delivery->expiry);
		return;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE() comes before each free() */
	due = first->since_ms + budget_ms(delivery);
	timer_start(delivery->expiry, due > now ? due - now : 0);
}

static struct connection_list *order_of(struct delivery *delivery, uint32_t slot)
{
	return delivery->slots[slot].present ? &delivery->waiting_for_room
					     : &delivery->waiting_for_worker;
}

/*
 * Put a connection that a worker gave back in front of the connections that wait. It goes behind
 * those that were also given back and had been sent before it.
 */
static void insert_given_back(struct delivery_slot *slot, struct connection *connection)
{
	struct connection *next = TAILQ_FIRST(&slot->waiting);

	while (next && next->id && (int32_t)(next->id - connection->id) < 0)
		next = TAILQ_NEXT(next, in_slot);
	if (next)
		TAILQ_INSERT_BEFORE(next, connection, in_slot);
	else
		TAILQ_INSERT_TAIL(&slot->waiting, connection, in_slot);
}

void delivery_wait_begin(struct delivery *delivery, struct connection *connection, bool first)
{
	struct delivery_slot *slot = &delivery->slots[connection->slot];
	struct connection_list *order = order_of(delivery, connection->slot);
	bool was_empty = TAILQ_EMPTY(order);

	connection->since_ms = connection->wait_begun_ms = clock_ms();
	if (first)
		insert_given_back(slot, connection);
	else
		TAILQ_INSERT_TAIL(&slot->waiting, connection, in_slot);
	TAILQ_INSERT_TAIL(order, connection, in_order);
	slot->waiting_count++;
	delivery->waiting++;
	watch_client(delivery, connection);
	if (was_empty && order == &delivery->waiting_for_worker)
		delivery_wait_set_expiry(delivery);
}

/*
 * Count the wait of a connection as if its slot were looked at every delay_ms. No timer does that,
 * so the number is computed when the wait is over.
 */
static void count_retries(struct delivery *delivery, const struct connection *connection)
{
	uint64_t waited = clock_ms() - connection->since_ms;

	if (delivery->limits.delay_ms && !delivery->slots[connection->slot].present)
		delivery->options.counters->retried += waited / delivery->limits.delay_ms;
}

void delivery_wait_end(struct delivery *delivery, struct connection *connection)
{
	struct delivery_slot *slot = &delivery->slots[connection->slot];

	count_retries(delivery, connection);
	histogram_add(&delivery->waits, clock_ms() - connection->wait_begun_ms);
	TAILQ_REMOVE(&slot->waiting, connection, in_slot);
	TAILQ_REMOVE(order_of(delivery, connection->slot), connection, in_order);
	slot->waiting_count--;
	delivery->waiting--;
	unwatch_client(delivery, connection);
}

void delivery_wait_set_worker(struct delivery *delivery, uint32_t slot,
			      struct worker_endpoint *endpoint)
{
	struct delivery_slot *state = &delivery->slots[slot];
	struct connection *connection;

	if (!state->present == !endpoint) {
		state->present = endpoint;
		return;
	}
	for (connection = TAILQ_FIRST(&state->waiting); connection;
	     connection = TAILQ_NEXT(connection, in_slot)) {
		count_retries(delivery, connection);
		TAILQ_REMOVE(order_of(delivery, slot), connection, in_order);
	}
	state->present = endpoint;
	for (connection = TAILQ_FIRST(&state->waiting); connection;
	     connection = TAILQ_NEXT(connection, in_slot)) {
		connection->since_ms = clock_ms();
		TAILQ_INSERT_TAIL(order_of(delivery, slot), connection, in_order);
	}
	delivery_wait_set_expiry(delivery);
}

/* ---- Error responses ---------------------------------------------------------------- */

void delivery_wait_answer(struct delivery *delivery, struct connection *connection)
{
	uint64_t budget = budget_ms(delivery);

	delivery_wait_end(delivery, connection);
	++delivery->options.counters->answered;
	error_response_send(delivery->options.base, connection->item.fd, delivery->limits.answer,
			    1 + (unsigned int)(budget / 1000),
			    budget < PATIENT_BELOW_MS ? PATIENCE_MS : 0);
	free(connection);
}

static void on_expiry(evutil_socket_t fd, short what, void *context)
{
	struct delivery *delivery = context;
	uint64_t now = clock_ms(), budget = budget_ms(delivery);
	struct connection *first;

	(void)fd;
	(void)what;
	while ((first = TAILQ_FIRST(&delivery->waiting_for_worker)) &&
	       first->since_ms + budget <= now)
		delivery_wait_answer(delivery, first);
	delivery_wait_set_expiry(delivery);
}

void delivery_wait_answer_all(struct delivery *delivery)
{
	struct connection *first;

	while ((first = TAILQ_FIRST(&delivery->waiting_for_worker)))
		delivery_wait_answer(delivery, first);
	delivery_wait_set_expiry(delivery);
}

/* The oldest connection is answered with an error, as its time would be over first. */
void delivery_wait_enforce_limit(struct delivery *delivery)
{
	while (delivery->waiting > delivery->limits.max_held) {
		struct connection *oldest = TAILQ_FIRST(&delivery->waiting_for_worker);

		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE() comes first */
		delivery_wait_answer(delivery,
				     oldest ? oldest : TAILQ_FIRST(&delivery->waiting_for_room));
	}
}

/* ---- Clients that go away ----------------------------------------------------------- */

static void on_gone(evutil_socket_t fd, short what, void *context)
{
	struct delivery *delivery = context;
	struct epoll_event events[GONE_BATCH];
	int count = epoll_wait(fd, events, GONE_BATCH, 0), i;

	(void)what;
	for (i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;

		delivery_wait_end(delivery, connection);
		++delivery->options.counters->client_gone;
		close(connection->item.fd);
		free(connection);
	}
}

/* ---- Open and close ----------------------------------------------------------------- */

int delivery_wait_open(struct delivery *delivery)
{
	struct event_base *base = delivery->options.base;

	delivery->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	if (delivery->gone_fd < 0)
		return -errno;
	delivery->expiry = evtimer_new(base, on_expiry, delivery);
	delivery->gone =
		event_new(base, delivery->gone_fd, EV_READ | EV_PERSIST, on_gone, delivery);
	if (!delivery->expiry || !delivery->gone || event_add(delivery->gone, NULL))
		return -ENOMEM;
	return 0;
}

static void close_all(struct delivery *delivery, struct connection_list *order)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(order))) {
		TAILQ_REMOVE(order, connection, in_order);
		exits_close(connection->item.fd, &delivery->options.exits->stop);
		free(connection);
	}
}

void delivery_wait_close(struct delivery *delivery)
{
	close_all(delivery, &delivery->waiting_for_worker);
	close_all(delivery, &delivery->waiting_for_room);
	if (delivery->expiry)
		event_free(delivery->expiry);
	if (delivery->gone)
		event_free(delivery->gone);
	if (delivery->gone_fd >= 0)
		close(delivery->gone_fd);
}
