// SPDX-License-Identifier: MIT
#include "handoff/delivery.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/random.h>
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
#define RETRY_MIN_MS	 10

/* A connection. There may be tens of thousands, so that the structure is kept small. */
struct connection {
	TAILQ_ENTRY(connection) in_slot;  /* in the list of its slot, or of its worker */
	TAILQ_ENTRY(connection) in_order; /* while it waits: in `waiting`, by since_ms */
	STAILQ_ENTRY(connection) in_intake;
	struct delivery_item item;
	uint32_t slot;
	uint32_t id; /* of the last message that sent it; 0: it was never sent */
	uint64_t since_ms;
	bool is_watched; /* gone_fd reports when the client closes */
};

TAILQ_HEAD(connection_list, connection);
STAILQ_HEAD(connection_queue, connection);

struct delivery_slot {
	struct worker_endpoint *present; /* the worker that has the slot; NULL: there is none */
	struct connection_list waiting;
	uint32_t waiting_count;
};

struct worker_endpoint {
	struct delivery *delivery;
	const struct worker_endpoint_ops *ops;
	void *context;
	uint32_t slot;
	uint32_t limit;
	uint32_t count; /* number of connections that were sent, and not accepted yet */
	bool is_blocked;
	struct event *retry; /* timer: after -ENOBUFS, which no event follows */
	struct connection_list on_the_way;
};

struct delivery {
	struct delivery_options options;
	struct delivery_limits limits;
	struct delivery_slot slots[STICKY_SLOTS_LIMIT];
	/* connections of a slot without a worker: they wait for a limited time */
	struct connection_list waiting_for_worker;
	struct connection_list waiting_for_room; /* the worker may not be sent more at the moment */
	uint32_t waiting;
	bool has_given_up; /* see delivery_give_up() */
	uint32_t next_id;
	struct event *expiry; /* timer: the time of the first of waiting_for_worker is over */
	int gone_fd;	      /* an epoll set, which reports clients that close while they wait */
	struct event *gone;
	/* The list by which other threads submit connections to the loop's thread, and its lock. */
	pthread_mutex_t lock;
	struct connection_queue intake;
	int intake_fd; /* an eventfd: readable while the intake is not empty */
	struct event *arrival;
};

static uint64_t budget_ms(const struct delivery *delivery)
{
	return (uint64_t)delivery->limits.retries * delivery->limits.delay_ms;
}

static uint32_t slot_of(const struct delivery *delivery, const struct delivery_item *item)
{
	struct sticky_where where = {.size = sizeof(where)};

	/* Dispatchers submit IPv4 and IPv6 addresses only: this does not fail. */
	if (sticky_group_where(delivery->options.group, &item->client.any, &where))
		return 0;
	return where.slot;
}

/* ---- Waiting connections ------------------------------------------------------------ */

/*
 * epoll reports errors and hang-ups always. EPOLLRDHUP is not asked for: a client that has closed
 * only its half still waits for an answer.
 */
static void delivery_watch(struct delivery *delivery, struct connection *connection)
{
	struct epoll_event event = {.events = 0, .data.ptr = connection};

	if (!connection->is_watched)
		connection->is_watched = epoll_ctl(delivery->gone_fd, EPOLL_CTL_ADD,
						   connection->item.fd, &event) == 0;
}

/*
 * The close() of a descriptor does not take it out of the epoll set while the worker has a
 * duplicate.
 */
static void delivery_unwatch(struct delivery *delivery, struct connection *connection)
{
	if (connection->is_watched)
		epoll_ctl(delivery->gone_fd, EPOLL_CTL_DEL, connection->item.fd, NULL);
	connection->is_watched = false;
}

static void set_expiry(struct delivery *delivery)
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
 * A worker gave a connection back. Put it in front of the connections that wait, but behind those
 * that were also given back and had been sent before it.
 */
static void delivery_give_back(struct delivery_slot *slot, struct connection *connection)
{
	struct connection *next = TAILQ_FIRST(&slot->waiting);

	while (next && next->id && (int32_t)(next->id - connection->id) < 0)
		next = TAILQ_NEXT(next, in_slot);
	if (next)
		TAILQ_INSERT_BEFORE(next, connection, in_slot);
	else
		TAILQ_INSERT_TAIL(&slot->waiting, connection, in_slot);
}

static void begin_to_wait(struct delivery *delivery, struct connection *connection, bool first)
{
	struct delivery_slot *slot = &delivery->slots[connection->slot];
	struct connection_list *order = order_of(delivery, connection->slot);
	bool was_empty = TAILQ_EMPTY(order);

	connection->since_ms = clock_ms();
	if (first)
		delivery_give_back(slot, connection);
	else
		TAILQ_INSERT_TAIL(&slot->waiting, connection, in_slot);
	TAILQ_INSERT_TAIL(order, connection, in_order);
	slot->waiting_count++;
	delivery->waiting++;
	delivery_watch(delivery, connection);
	if (was_empty && order == &delivery->waiting_for_worker)
		set_expiry(delivery);
}

/*
 * The counter is defined as if the slot were looked at every delay_ms. No timer does that, and so
 * the number is computed when the wait is over.
 */
static void count_retries(struct delivery *delivery, const struct connection *connection)
{
	uint64_t waited = clock_ms() - connection->since_ms;

	if (delivery->limits.delay_ms && !delivery->slots[connection->slot].present)
		delivery->options.counters->retried += waited / delivery->limits.delay_ms;
}

static void end_to_wait(struct delivery *delivery, struct connection *connection)
{
	struct delivery_slot *slot = &delivery->slots[connection->slot];

	count_retries(delivery, connection);
	TAILQ_REMOVE(&slot->waiting, connection, in_slot);
	TAILQ_REMOVE(order_of(delivery, connection->slot), connection, in_order);
	slot->waiting_count--;
	delivery->waiting--;
}

/* ---- Error responses ---------------------------------------------------------------- */

static void give_answer(struct delivery *delivery, struct connection *connection)
{
	uint64_t budget = budget_ms(delivery);

	end_to_wait(delivery, connection);
	delivery_unwatch(delivery, connection);
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
		give_answer(delivery, first);
	set_expiry(delivery);
}

/*
 * The oldest connection is answered with an error. It has waited for the longest time, and its time
 * would be over first.
 */
static void keep_to_the_limit(struct delivery *delivery)
{
	while (delivery->waiting > delivery->limits.max_held) {
		struct connection *oldest = TAILQ_FIRST(&delivery->waiting_for_worker);

		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the same */
		give_answer(delivery, oldest ? oldest : TAILQ_FIRST(&delivery->waiting_for_room));
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

		end_to_wait(delivery, connection);
		delivery_unwatch(delivery, connection);
		++delivery->options.counters->client_gone;
		close(connection->item.fd);
		free(connection);
	}
}

/* ---- Passing on --------------------------------------------------------------------- */

static void delivery_try_later(struct worker_endpoint *endpoint)
{
	uint32_t delay_ms = endpoint->delivery->limits.delay_ms;

	if (delay_ms < RETRY_MIN_MS)
		delay_ms = RETRY_MIN_MS;
	endpoint->is_blocked = true;
	timer_start(endpoint->retry, delay_ms);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	worker_endpoint_resume(context);
}

/* Returns false if no more can be sent to the worker at the moment. */
static bool delivery_pass_on(struct worker_endpoint *endpoint, struct connection *connection)
{
	struct delivery *delivery = endpoint->delivery;
	int error;

	if (endpoint->is_blocked || endpoint->count >= endpoint->limit)
		return false;
	delivery->next_id += delivery->next_id == UINT32_MAX ? 2 : 1; /* 0 means: never sent */
	error = endpoint->ops->send(endpoint->context, delivery->next_id, &connection->item);
	if (error == -ENOBUFS) {
		delivery_try_later(endpoint);
		return false;
	}
	/*
	 * A worker that can't be reached is about to end. Its connections wait for its successor.
	 */
	if (error) {
		endpoint->is_blocked = true;
		return false;
	}
	connection->id = delivery->next_id;
	TAILQ_INSERT_TAIL(&endpoint->on_the_way, connection, in_slot);
	endpoint->count++;
	return true;
}

static void delivery_pump(struct delivery *delivery, uint32_t slot)
{
	struct delivery_slot *state = &delivery->slots[slot];
	struct connection *first;

	while (state->present && (first = TAILQ_FIRST(&state->waiting))) {
		if (state->present->is_blocked || state->present->count >= state->present->limit)
			return;
		end_to_wait(delivery, first);
		delivery_unwatch(delivery, first);
		if (!delivery_pass_on(state->present, first))
			begin_to_wait(delivery, first, true);
	}
}

/*
 * Find the slot of a connection, and send the connection to the slot's worker. The connection waits
 * if the slot has no worker, or if other connections of the slot wait already.
 *
 * first  if it has to wait, it waits in front of the others
 */
static void delivery_place(struct delivery *delivery, struct connection *connection, bool first)
{
	struct delivery_slot *slot;

	connection->slot = slot_of(delivery, &connection->item);
	slot = &delivery->slots[connection->slot];
	if (slot->present && TAILQ_EMPTY(&slot->waiting) &&
	    delivery_pass_on(slot->present, connection))
		return;
	begin_to_wait(delivery, connection, first);
	if (delivery->has_given_up && !slot->present)
		give_answer(delivery, connection);
	keep_to_the_limit(delivery);
}

static void on_arrival(evutil_socket_t fd, short what, void *context)
{
	struct delivery *delivery = context;
	struct connection_queue arrived = STAILQ_HEAD_INITIALIZER(arrived);
	struct connection *connection;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	pthread_mutex_lock(&delivery->lock);
	STAILQ_CONCAT(&arrived, &delivery->intake);
	pthread_mutex_unlock(&delivery->lock);
	while ((connection = STAILQ_FIRST(&arrived))) {
		STAILQ_REMOVE_HEAD(&arrived, in_intake);
		delivery_place(delivery, connection, false);
	}
}

void delivery_take_in(struct delivery *delivery)
{
	on_arrival(delivery->intake_fd, EV_READ, delivery);
}

static void answer_waiting_for_worker(struct delivery *delivery)
{
	struct connection *first;

	while ((first = TAILQ_FIRST(&delivery->waiting_for_worker)))
		give_answer(delivery, first);
	set_expiry(delivery);
}

void delivery_give_up(struct delivery *delivery)
{
	delivery->has_given_up = true;
	delivery_take_in(delivery);
	answer_waiting_for_worker(delivery);
}

int delivery_submit(struct delivery *delivery, const struct delivery_item *item)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	uint64_t one = 1;
	ssize_t written = 0;
	bool was_empty;

	if (!connection)
		return -ENOMEM;
	connection->item = *item;
	pthread_mutex_lock(&delivery->lock);
	was_empty = STAILQ_EMPTY(&delivery->intake);
	STAILQ_INSERT_TAIL(&delivery->intake, connection, in_intake);
	pthread_mutex_unlock(&delivery->lock);
	/* An eventfd blocks at 2^64 - 1, which this one never reaches. */
	if (was_empty)
		written = write(delivery->intake_fd, &one, sizeof(one));
	(void)written;
	return 0;
}

/* ---- Changes ------------------------------------------------------------------------ */

static void replace_all(struct delivery *delivery, struct connection_list *order)
{
	struct connection *connection, *next;

	for (connection = TAILQ_FIRST(order); connection; connection = next) {
		uint32_t slot = slot_of(delivery, &connection->item);

		next = TAILQ_NEXT(connection, in_order);
		if (slot == connection->slot)
			continue;
		end_to_wait(delivery, connection);
		/*
		 * The connection may be sent to a worker at once. It is not watched any more then.
		 */
		delivery_unwatch(delivery, connection);
		delivery_place(delivery, connection, false);
	}
}

void delivery_table_changed(struct delivery *delivery)
{
	uint32_t slot;

	replace_all(delivery, &delivery->waiting_for_worker);
	replace_all(delivery, &delivery->waiting_for_room);
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		delivery_pump(delivery, slot);
}

/* A slot gets a worker or loses it. The slot's waiting connections move to the other list. */
static void set_present(struct delivery *delivery, uint32_t slot, struct worker_endpoint *endpoint)
{
	struct delivery_slot *state = &delivery->slots[slot];
	struct connection *connection;

	if (!state->present != !endpoint) {
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
		set_expiry(delivery);
	}
	state->present = endpoint;
	if (delivery->has_given_up)
		answer_waiting_for_worker(delivery);
	delivery_pump(delivery, slot);
}

/* ---- Worker endpoints --------------------------------------------------------------- */

int worker_endpoint_open(struct delivery *delivery, uint32_t slot,
			 const struct worker_endpoint_ops *ops, void *context, uint32_t on_the_way,
			 struct worker_endpoint **ret_endpoint)
{
	struct worker_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return -ENOMEM;
	*endpoint = (struct worker_endpoint){
		.delivery = delivery,
		.ops = ops,
		.context = context,
		.slot = slot,
		.limit = on_the_way,
	};
	TAILQ_INIT(&endpoint->on_the_way);
	endpoint->retry = evtimer_new(delivery->options.base, on_retry, endpoint);
	if (!endpoint->retry) {
		free(endpoint);
		return -ENOMEM;
	}
	*ret_endpoint = endpoint;
	return 0;
}

void worker_endpoint_take_slot(struct worker_endpoint *endpoint)
{
	set_present(endpoint->delivery, endpoint->slot, endpoint);
}

void worker_endpoint_leave_slot(struct worker_endpoint *endpoint)
{
	if (endpoint->delivery->slots[endpoint->slot].present == endpoint)
		set_present(endpoint->delivery, endpoint->slot, NULL);
}

uint32_t worker_endpoint_on_the_way(const struct worker_endpoint *endpoint)
{
	return endpoint->count;
}

/* Workers accept in order. The connection is therefore nearly always the first of the list. */
static struct connection *take_out(struct worker_endpoint *endpoint, uint32_t id)
{
	struct connection *connection;

	for (connection = TAILQ_FIRST(&endpoint->on_the_way); connection;
	     connection = TAILQ_NEXT(connection, in_slot))
		if (connection->id == id)
			break;
	if (connection) {
		TAILQ_REMOVE(&endpoint->on_the_way, connection, in_slot);
		endpoint->count--;
	}
	return connection;
}

void worker_endpoint_accepted(struct worker_endpoint *endpoint, uint32_t id)
{
	struct delivery *delivery = endpoint->delivery;
	struct connection *connection = take_out(endpoint, id);

	if (!connection)
		return;
	close(connection->item.fd);
	free(connection);
	delivery->options.counters->handed_of[endpoint->slot]++;
	delivery->options.counters->handed++;
	delivery_pump(delivery, endpoint->slot);
}

void worker_endpoint_refused(struct worker_endpoint *endpoint, uint32_t id)
{
	struct delivery *delivery = endpoint->delivery;
	struct connection *connection = take_out(endpoint, id);

	if (!connection)
		return;
	/*
	 * The worker gave the connection back because it has no room. The same connection is not
	 * sent to it again at once.
	 */
	if (delivery->slots[endpoint->slot].present == endpoint)
		delivery_try_later(endpoint);
	delivery_place(delivery, connection, true);
}

void worker_endpoint_resume(struct worker_endpoint *endpoint)
{
	endpoint->is_blocked = false;
	if (endpoint->delivery->slots[endpoint->slot].present == endpoint)
		delivery_pump(endpoint->delivery, endpoint->slot);
}

void worker_endpoint_close(struct worker_endpoint *endpoint)
{
	struct delivery *delivery;
	struct connection *connection;

	if (!endpoint)
		return;
	delivery = endpoint->delivery;
	worker_endpoint_leave_slot(endpoint);
	while ((connection = TAILQ_FIRST(&endpoint->on_the_way))) {
		TAILQ_REMOVE(&endpoint->on_the_way, connection, in_slot);
		delivery_place(delivery, connection, true);
	}
	event_free(endpoint->retry);
	free(endpoint);
}

/* ---- Open and close ----------------------------------------------------------------- */

void delivery_set_limits(struct delivery *delivery, const struct delivery_limits *limits)
{
	delivery->limits = *limits;
	keep_to_the_limit(delivery);
	set_expiry(delivery);
}

uint32_t delivery_waiting_of(const struct delivery *delivery, uint32_t slot)
{
	return delivery->slots[slot].waiting_count;
}

uint32_t delivery_waiting(const struct delivery *delivery)
{
	return delivery->waiting;
}

static int open_events(struct delivery *delivery)
{
	struct event_base *base = delivery->options.base;

	delivery->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	delivery->intake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (delivery->gone_fd < 0 || delivery->intake_fd < 0)
		return -errno;
	delivery->expiry = evtimer_new(base, on_expiry, delivery);
	delivery->gone =
		event_new(base, delivery->gone_fd, EV_READ | EV_PERSIST, on_gone, delivery);
	delivery->arrival =
		event_new(base, delivery->intake_fd, EV_READ | EV_PERSIST, on_arrival, delivery);
	if (!delivery->expiry || !delivery->gone || !delivery->arrival ||
	    event_add(delivery->gone, NULL) || event_add(delivery->arrival, NULL))
		return -ENOMEM;
	return 0;
}

int delivery_open(const struct delivery_options *options, const struct delivery_limits *limits,
		  struct delivery **ret_delivery)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	uint32_t slot;
	int error;

	if (!delivery)
		return -ENOMEM;
	delivery->options = *options;
	delivery->limits = *limits;
	delivery->gone_fd = delivery->intake_fd = -1;
	/*
	 * Workers that are taken over may still report ids of the previous controller. The ids
	 * therefore begin at a random number.
	 */
	if (getrandom(&delivery->next_id, sizeof(delivery->next_id), GRND_NONBLOCK) < 0)
		delivery->next_id = (uint32_t)clock_ms();
	pthread_mutex_init(&delivery->lock, NULL);
	TAILQ_INIT(&delivery->waiting_for_worker);
	TAILQ_INIT(&delivery->waiting_for_room);
	STAILQ_INIT(&delivery->intake);
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		TAILQ_INIT(&delivery->slots[slot].waiting);
	error = open_events(delivery);
	if (error) {
		delivery_close(delivery);
		return error;
	}
	*ret_delivery = delivery;
	return 0;
}

static void close_all(struct connection_list *order)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(order))) {
		TAILQ_REMOVE(order, connection, in_order);
		close(connection->item.fd);
		free(connection);
	}
}

static void close_intake(struct delivery *delivery)
{
	struct connection *connection;

	while ((connection = STAILQ_FIRST(&delivery->intake))) {
		STAILQ_REMOVE_HEAD(&delivery->intake, in_intake);
		close(connection->item.fd);
		free(connection);
	}
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void delivery_close(struct delivery *delivery)
{
	if (!delivery)
		return;
	close_all(&delivery->waiting_for_worker);
	close_all(&delivery->waiting_for_room);
	close_intake(delivery);
	free_event(delivery->expiry);
	free_event(delivery->gone);
	free_event(delivery->arrival);
	if (delivery->gone_fd >= 0)
		close(delivery->gone_fd);
	if (delivery->intake_fd >= 0)
		close(delivery->intake_fd);
	pthread_mutex_destroy(&delivery->lock);
	free(delivery);
}
