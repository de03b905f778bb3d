// SPDX-License-Identifier: MIT
#include "delivery_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clients.h"
#include "descriptors.h"
#include "groups.h"

#define NO_END 60000u /* in ms; no test takes so long */

struct delivery_limits limits_patient(void)
{
	return (struct delivery_limits){
		.retries = 1, .delay_ms = NO_END, .max_held = CLIENTS, .answer = DOWN_ANSWER_502};
}

struct delivery_limits limits_of_budget(uint32_t retries, uint32_t delay_ms)
{
	return (struct delivery_limits){.retries = retries,
					.delay_ms = delay_ms,
					.max_held = CLIENTS,
					.answer = DOWN_ANSWER_503};
}

void fixture_begin(struct delivery_fixture *fixture, struct delivery_limits limits)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct delivery_options delivery;

	memset(fixture, 0, sizeof(*fixture));
	fixture->before = descriptors_count();
	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &fixture->group), 0);
	fixture->base = event_base_new();
	assert_non_null(fixture->base);
	delivery = (struct delivery_options){.base = fixture->base,
					     .group = fixture->group,
					     .counters = &fixture->counters,
					     .exits = &fixture->exits};
	assert_int_equal(delivery_open(&delivery, &limits, &fixture->delivery), 0);
	fixture->server = address_of("127.0.0.1", 0);
	fixture->listening = plain_listen(&fixture->server, 0);
	assert_true(fixture->listening >= 0);
}

void fixture_turn(struct delivery_fixture *fixture)
{
	event_base_loop(fixture->base, EVLOOP_NONBLOCK);
}

static bool is_quiet(void *context)
{
	struct delivery_fixture *fixture = context;

	fixture_turn(fixture);
	return event_base_get_num_events(fixture->base, EVENT_BASE_COUNT_ADDED) == 0;
}

void fixture_end(struct delivery_fixture *fixture)
{
	delivery_close(fixture->delivery);
	close_all(fixture->clients, fixture->count);
	assert_int_equal(wait_until(is_quiet, fixture), 0);
	event_base_free(fixture->base);
	sticky_group_close(fixture->group);
	close(fixture->listening);
	assert_int_equal(descriptors_count(), fixture->before);
}

void fixture_run_for(struct delivery_fixture *fixture, uint64_t ms)
{
	uint64_t until = wait_now_ms() + ms;

	while (wait_now_ms() < until) {
		fixture_turn(fixture);
		poll(NULL, 0, 1);
	}
}

struct delivery_item fixture_connect(struct delivery_fixture *fixture, uint32_t slot)
{
	struct delivery_item item = {.source = CHANNEL_FROM_HEADER};
	struct sockaddr_storage address;
	int client = client_connect(NULL, &fixture->server);

	assert_true(fixture->count < CLIENTS && client >= 0);
	item.fd = client_accept(fixture->listening);
	assert_true(item.fd >= 0);
	assert_int_equal(fcntl(item.fd, F_SETFL, O_NONBLOCK), 0);
	fixture->next = group_client_of_slot(fixture->group, AF_INET, slot, fixture->next);
	address = client_address(AF_INET, fixture->next++);
	memcpy(&item.client.v4, &address, sizeof(item.client.v4));
	item.client.v4.sin_port = htons((uint16_t)fixture->count);
	fixture->clients[fixture->count++] = client;
	return item;
}

void fixture_submit(struct delivery_fixture *fixture, uint32_t slot, uint32_t count)
{
	while (count-- > 0) {
		struct delivery_item item = fixture_connect(fixture, slot);

		assert_int_equal(delivery_submit(fixture->delivery, &item), 0);
	}
	fixture_turn(fixture);
}

void fixture_check_waiting(struct delivery_fixture *fixture, uint32_t slot, uint32_t count)
{
	fixture_turn(fixture);
	assert_int_equal(delivery_waiting_of(fixture->delivery, slot), count);
}

struct awaited {
	struct delivery_fixture *fixture;
	const uint64_t *counter;
	uint64_t value;
};

static bool has_counted(void *context)
{
	const struct awaited *awaited = context;

	fixture_turn(awaited->fixture);
	return *awaited->counter >= awaited->value;
}

void fixture_wait_counted(struct delivery_fixture *fixture, const uint64_t *counter, uint64_t value)
{
	struct awaited awaited = {fixture, counter, value};

	assert_int_equal(wait_until(has_counted, &awaited), 0);
	assert_int_equal(*counter, value);
}

bool fixture_client_got(struct delivery_fixture *fixture, uint32_t place, const char *beginning)
{
	char text[512] = "";
	ssize_t length = recv(fixture->clients[place], text, sizeof(text) - 1, MSG_DONTWAIT);

	return length >= (ssize_t)strlen(beginning) && !memcmp(text, beginning, strlen(beginning));
}

bool fixture_client_waits(struct delivery_fixture *fixture, uint32_t place)
{
	char byte;

	return recv(fixture->clients[place], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
	       errno == EAGAIN;
}

bool fixture_client_is_answered(struct delivery_fixture *fixture, uint32_t place)
{
	return wait_readable(fixture->clients[place]) == 0;
}

bool fixture_client_ended(struct delivery_fixture *fixture, uint32_t place)
{
	char byte;

	return wait_readable(fixture->clients[place]) == 0 &&
	       recv(fixture->clients[place], &byte, 1, MSG_DONTWAIT) <= 0;
}

void fixture_client_reset(struct delivery_fixture *fixture, uint32_t place)
{
	struct linger now = {.l_onoff = 1};

	assert_int_equal(
		setsockopt(fixture->clients[place], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close_all(&fixture->clients[place], 1);
}

/* ---- Workers ---------------------------------------------------------------------------- */

static int record(void *context, uint32_t id, const struct delivery_item *item)
{
	struct fake_worker *fake = context;

	fake->tries++;
	if (fake->result)
		return fake->result;
	assert_true(fake->count < CLIENTS);
	assert_int_equal(item->source, CHANNEL_FROM_HEADER);
	if (fake->keeps)
		fake->kept[fake->count] = fcntl(item->fd, F_DUPFD_CLOEXEC, 0);
	fake->places[fake->count] = ntohs(item->client.v4.sin_port);
	fake->ids[fake->count++] = id;
	return 0;
}

void fake_worker_open(struct delivery_fixture *fixture, uint32_t slot, uint32_t limit,
		      struct fake_worker *fake)
{
	static const struct worker_endpoint_ops ops = {.send = record};

	memset(fake, 0, sizeof(*fake));
	fake->fixture = fixture;
	assert_int_equal(
		worker_endpoint_open(fixture->delivery, slot, &ops, fake, limit, &fake->endpoint),
		0);
}

void fake_worker_start(struct delivery_fixture *fixture, uint32_t slot, uint32_t limit,
		       struct fake_worker *fake)
{
	fake_worker_open(fixture, slot, limit, fake);
	worker_endpoint_take_slot(fake->endpoint);
}

void fake_worker_check_got(const struct fake_worker *fake, uint32_t from, uint32_t place,
			   uint32_t count)
{
	uint32_t i;

	assert_int_equal(fake->count, from + count);
	for (i = 0; i < count; i++)
		assert_int_equal(fake->places[from + i], place + i);
}

void fake_worker_accept_all(struct fake_worker *fake, uint32_t from)
{
	for (; from < fake->count; from++)
		worker_endpoint_accepted(fake->endpoint, fake->ids[from]);
}

bool fake_worker_was_sent(void *context)
{
	struct fake_worker *fake = context;

	fixture_turn(fake->fixture);
	return fake->count > 0;
}
