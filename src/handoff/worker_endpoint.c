// SPDX-License-Identifier: MIT
/* The connections that are on the way to one worker, and the worker's reports about them. */
#include "handoff/delivery_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/timer.h"

#define RETRY_MIN_MS 10

static void try_later(struct worker_endpoint *endpoint)
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

bool worker_endpoint_has_room(const struct worker_endpoint *endpoint)
{
	return !endpoint->is_blocked && endpoint->count < endpoint->limit;
}

bool worker_endpoint_send(struct worker_endpoint *endpoint, struct connection *connection)
{
	struct delivery *delivery = endpoint->delivery;
	int error;

	if (!worker_endpoint_has_room(endpoint))
		return false;
	delivery->next_id += delivery->next_id == UINT32_MAX ? 2 : 1; /* 0 means: never sent */
	error = endpoint->ops->send(endpoint->context, delivery->next_id, &connection->item);
	if (error == -ENOBUFS) {
		try_later(endpoint);
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
	LIST_INSERT_HEAD(&delivery->endpoints, endpoint, in_delivery);
	*ret_endpoint = endpoint;
	return 0;
}

/*
 * Take over a connection that the previous program has sent to the worker. If memory is short, the
 * connection is closed here. The worker has it nevertheless.
 */
static void take_over(struct worker_endpoint *endpoint, struct carried_connection *sent)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection) {
		exits_close(sent->item.fd, &endpoint->delivery->options.exits->no_memory);
	} else {
		*connection =
			(struct connection){.item = sent->item, .slot = sent->slot, .id = sent->id};
		TAILQ_INSERT_TAIL(&endpoint->on_the_way, connection, in_slot);
		endpoint->count++;
	}
	sent->item.fd = -1;
}

void worker_endpoint_name(struct worker_endpoint *endpoint, uint64_t generation)
{
	struct carried *expected = &endpoint->delivery->expected;
	size_t i;

	endpoint->generation = generation;
	for (i = 0; i < expected->count; i++) {
		struct carried_connection *sent = &expected->items[i];

		if (sent->item.fd >= 0 && sent->slot == endpoint->slot &&
		    sent->generation == generation)
			take_over(endpoint, sent);
	}
}

void worker_endpoint_take_slot(struct worker_endpoint *endpoint)
{
	delivery_set_worker(endpoint->delivery, endpoint->slot, endpoint);
}

void worker_endpoint_leave_slot(struct worker_endpoint *endpoint)
{
	if (endpoint->delivery->slots[endpoint->slot].present == endpoint)
		delivery_set_worker(endpoint->delivery, endpoint->slot, NULL);
}

uint32_t worker_endpoint_on_the_way(const struct worker_endpoint *endpoint)
{
	return endpoint->count;
}

uint64_t worker_endpoint_accepted_count(const struct worker_endpoint *endpoint)
{
	return endpoint->accepted;
}

/*
 * Take a connection out of the list, by its id. It is nearly always the first one, as workers
 * accept in order.
 */
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
	endpoint->accepted++;
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
		try_later(endpoint);
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
	LIST_REMOVE(endpoint, in_delivery);
	event_free(endpoint->retry);
	free(endpoint);
}
