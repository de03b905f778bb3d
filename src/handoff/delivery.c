// SPDX-License-Identifier: MIT
/* Places submitted connections in their slots, and sends them to the slots' workers. */
#include "handoff/delivery_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"

static uint32_t slot_of(const struct delivery *delivery, const struct delivery_item *item)
{
	struct sticky_where where = {.size = sizeof(where)};

	/* This does not fail, as dispatchers submit IPv4 and IPv6 addresses only. */
	if (sticky_group_where(delivery->options.group, &item->client.any, &where))
		return 0;
	return where.slot;
}

void delivery_pump(struct delivery *delivery, uint32_t slot)
{
	struct delivery_slot *state = &delivery->slots[slot];
	struct connection *first;

	while (state->present && (first = TAILQ_FIRST(&state->waiting))) {
		if (!worker_endpoint_has_room(state->present))
			return;
		delivery_wait_end(delivery, first);
		if (!worker_endpoint_send(state->present, first))
			delivery_wait_begin(delivery, first, true);
	}
}

void delivery_place(struct delivery *delivery, struct connection *connection, bool first)
{
	struct delivery_slot *slot;

	connection->slot = slot_of(delivery, &connection->item);
	slot = &delivery->slots[connection->slot];
	if (slot->present && TAILQ_EMPTY(&slot->waiting) &&
	    worker_endpoint_send(slot->present, connection))
		return;
	delivery_wait_begin(delivery, connection, first);
	if (delivery->has_given_up && !slot->present)
		delivery_wait_answer(delivery, connection);
	delivery_wait_enforce_limit(delivery);
}

/* ---- Submitted connections ---------------------------------------------------------- */

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
	delivery->intake_count = 0;
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

static int carry_all(const struct connection_list *list, const struct worker_endpoint *sent_to,
		     struct carried *carried)
{
	const struct connection *connection;
	int error = 0;

	for (connection = TAILQ_FIRST(list); connection && !error;
	     connection = TAILQ_NEXT(connection, in_slot)) {
		struct carried_connection entry = {.item = connection->item};

		if (sent_to) {
			entry.slot = sent_to->slot;
			entry.id = connection->id;
			entry.generation = sent_to->generation;
		}
		error = carried_add(carried, &entry);
	}
	return error;
}

int delivery_carry(const struct delivery *delivery, struct carried *carried)
{
	const struct worker_endpoint *endpoint;
	uint32_t slot;
	int error = 0;

	for (slot = 0; slot < STICKY_SLOTS_LIMIT && !error; slot++)
		error = carry_all(&delivery->slots[slot].waiting, NULL, carried);
	for (endpoint = LIST_FIRST(&delivery->endpoints); endpoint && !error;
	     endpoint = LIST_NEXT(endpoint, in_delivery))
		if (endpoint->generation)
			error = carry_all(&endpoint->on_the_way, endpoint, carried);
	return error;
}

int delivery_expect(struct delivery *delivery, const struct carried_connection *sent)
{
	return carried_add(&delivery->expected, sent);
}

void delivery_end_expecting(struct delivery *delivery)
{
	size_t i;

	for (i = 0; i < delivery->expected.count; i++)
		if (delivery->expected.items[i].item.fd >= 0)
			exits_close(delivery->expected.items[i].item.fd,
				    &delivery->options.exits->controller_ended);
	carried_fini(&delivery->expected);
}

void delivery_give_up(struct delivery *delivery)
{
	delivery->has_given_up = true;
	delivery_take_in(delivery);
	delivery_wait_answer_all(delivery);
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
	delivery->intake_count++;
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
		delivery_wait_end(delivery, connection);
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

void delivery_set_worker(struct delivery *delivery, uint32_t slot, struct worker_endpoint *endpoint)
{
	delivery_wait_set_worker(delivery, slot, endpoint);
	if (delivery->has_given_up)
		delivery_wait_answer_all(delivery);
	delivery_pump(delivery, slot);
}

void delivery_set_limits(struct delivery *delivery, const struct delivery_limits *limits)
{
	delivery->limits = *limits;
	delivery_wait_enforce_limit(delivery);
	delivery_wait_set_expiry(delivery);
}

uint32_t delivery_submitted(struct delivery *delivery)
{
	uint32_t count;

	pthread_mutex_lock(&delivery->lock);
	count = delivery->intake_count;
	pthread_mutex_unlock(&delivery->lock);
	return count;
}

uint32_t delivery_waiting_of(const struct delivery *delivery, uint32_t slot)
{
	return delivery->slots[slot].waiting_count;
}

uint32_t delivery_waiting(const struct delivery *delivery)
{
	return delivery->waiting;
}

const struct histogram *delivery_waits(const struct delivery *delivery)
{
	return &delivery->waits;
}

uint32_t delivery_on_the_way(const struct delivery *delivery)
{
	const struct worker_endpoint *endpoint;
	uint32_t sum = 0;

	for (endpoint = LIST_FIRST(&delivery->endpoints); endpoint;
	     endpoint = LIST_NEXT(endpoint, in_delivery))
		sum += endpoint->count;
	return sum;
}

/* ---- Open and close ----------------------------------------------------------------- */

static int open_intake(struct delivery *delivery)
{
	delivery->intake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (delivery->intake_fd < 0)
		return -errno;
	delivery->arrival = event_new(delivery->options.base, delivery->intake_fd,
				      EV_READ | EV_PERSIST, on_arrival, delivery);
	return !delivery->arrival || event_add(delivery->arrival, NULL) ? -ENOMEM : 0;
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
	LIST_INIT(&delivery->endpoints);
	STAILQ_INIT(&delivery->intake);
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		TAILQ_INIT(&delivery->slots[slot].waiting);
	error = delivery_wait_open(delivery);
	if (!error)
		error = open_intake(delivery);
	if (error) {
		delivery_close(delivery);
		return error;
	}
	*ret_delivery = delivery;
	return 0;
}

static void close_intake(struct delivery *delivery)
{
	struct connection *connection;

	while ((connection = STAILQ_FIRST(&delivery->intake))) {
		STAILQ_REMOVE_HEAD(&delivery->intake, in_intake);
		exits_close(connection->item.fd, &delivery->options.exits->stop);
		free(connection);
	}
	if (delivery->arrival)
		event_free(delivery->arrival);
	if (delivery->intake_fd >= 0)
		close(delivery->intake_fd);
}

void delivery_close(struct delivery *delivery)
{
	if (!delivery)
		return;
	delivery_wait_close(delivery);
	delivery_end_expecting(delivery);
	close_intake(delivery);
	pthread_mutex_destroy(&delivery->lock);
	free(delivery);
}
