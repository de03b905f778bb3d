// SPDX-License-Identifier: MIT
/* Clients are refused when they should be, and only then. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "engine/address.h"
#include "lib/group_internal.h"
#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "../support/waiting.h"
#include "sticky.h"

#define SLOTS	4
#define SLOT	1
#define CLIENTS 64

static int connect_number(struct sticky_group *group, uint32_t number)
{
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sockaddr_storage client = client_address(AF_INET, number);

	return client_connect(&client, &server);
}

static void check_everybody_is_refused(struct sticky_group *group)
{
	uint64_t before = group_counters(group).dropped_empty;
	uint32_t number;

	for (number = 0; number < CLIENTS; number++)
		assert_int_equal(connect_number(group, number), -ECONNREFUSED);
	assert_int_equal(group_counters(group).dropped_empty, before + CLIENTS);
	assert_int_equal(group_counters(group).dropped, before + CLIENTS);
}

static void add_waiting(struct waiting *line, struct sticky_group *group, uint32_t slot)
{
	struct sockaddr_storage server = group_server(group, 0, AF_INET);

	waiting_add(line, group, slot, &server, 20);
}

static void refuse_turns_new_clients_away_and_keeps_the_queue(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	struct waiting line = {0};

	(void)state;
	workers_start(group, workers);
	add_waiting(&line, group, SLOT);
	assert_int_equal(sticky_group_refuse(group), 0);
	check_everybody_is_refused(group);
	assert_int_equal(group_slot_info(group, SLOT).queue, 20);

	waiting_serve_in_order(sticky_worker_fd(workers[SLOT], 0), 0, 20);
	assert_int_equal(waiting_end(&line), 0);
	assert_int_equal(sticky_group_refuse(group), 0);
	workers_close(group, workers);
	/* Now the program does not have to refuse: no socket listens. */
	assert_int_equal(connect_number(group, 0), -ECONNREFUSED);
	sticky_group_close(group);
}

/*
 * A worker has become ready, and a queue is about to move to it. The connections of this queue are
 * served, too.
 */
static void refuse_keeps_a_queue_that_is_about_to_move(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker;
	struct waiting line = {0};

	(void)state;
	/* With this descriptor no socket is closed before sticky_group_run(). */
	assert_true(sticky_group_fd(group) >= 0);
	add_waiting(&line, group, SLOT);
	worker = worker_start(group, SLOT);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(wait_readable(sticky_worker_fd(worker, 0)), 0);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 20);
	assert_int_equal(waiting_end(&line), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void refuse_holds_for_a_worker_that_becomes_ready_later(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	uint32_t slot;

	(void)state;
	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(sticky_worker_open(group, slot, &workers[slot]), 0);
	assert_int_equal(sticky_group_refuse(group), 0);
	for (slot = 0; slot < SLOTS; slot++)
		sticky_worker_ready(workers[slot]);
	check_everybody_is_refused(group);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* Returns the slot that the program tries first if the client's own slot is empty. */
static uint32_t first_other_slot(struct sticky_group *group, const struct sockaddr_storage *client)
{
	const struct sticky_settings *settings = engine_settings(group->engine);
	struct sticky_key key;

	assert_int_equal(address_key(settings, (const void *)client, &key), 0);
	return sticky_probe_slot(sticky_key_hash(settings, &key), group_slot_of(group, client),
				 SLOTS, 0);
}

/* Connect all clients. Returns, as bits, the slots at which the clients of SLOT arrive. */
static uint32_t check_one_slot_is_empty(struct sticky_group *group,
					struct sticky_worker *const *workers)
{
	uint64_t strangers = 0, before = group_counters(group).empty_slot;
	uint32_t number, seen = 0;

	for (number = 0; number < CLIENTS; number++) {
		struct sockaddr_storage client = client_address(AF_INET, number);
		uint32_t own = group_slot_of(group, &client), worker = UINT32_MAX;
		int fds[2] = {connect_number(group, number), -1};

		assert_true(fds[0] >= 0);
		fds[1] = workers_accept(workers, SLOTS, 0, &worker);
		assert_true(is_peer(fds[1], fds[0]));
		close_all(fds, 2);
		assert_int_equal(worker, own == SLOT ? first_other_slot(group, &client) : own);
		strangers += own == SLOT;
		seen |= own == SLOT ? 1u << worker : 0;
	}
	assert_int_equal(group_counters(group).empty_slot, before + strangers);
	assert_int_equal(group_counters(group).dropped, 0);
	return seen;
}

static void clients_of_an_empty_slot_go_to_the_others(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];

	(void)state;
	workers_start(group, workers);
	assert_int_equal(engine_empty(group->engine, 0, SLOT), 0);
	assert_int_equal(engine_empty(group->engine, 0, SLOT), 0);
	/*
	 * The clients arrive at all other slots: no single slot gets the whole share of the empty
	 * one.
	 */
	assert_int_equal(check_one_slot_is_empty(group, workers), 0xf & ~(1u << SLOT));
	workers_close(group, workers);
	sticky_group_close(group);
}

/*
 * A worker that shuts its own socket down affects only its own slot, and only until the next
 * worker.
 */
static void a_worker_that_shuts_its_socket_empties_its_slot(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	uint64_t strangers;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(shutdown(sticky_worker_fd(workers[SLOT], 0), SHUT_RD), 0);
	assert_int_not_equal(check_one_slot_is_empty(group, workers), 0);

	assert_int_equal(sticky_worker_close(workers[SLOT]), 0);
	workers[SLOT] = worker_start(group, SLOT);
	strangers = group_counters(group).empty_slot;
	assert_true(connect_number(group, group_client_of_slot(group, AF_INET, SLOT, 0)) >= 0);
	assert_false(nothing_waits(sticky_worker_fd(workers[SLOT], 0)));
	assert_int_equal(group_counters(group).empty_slot, strangers);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void everybody_is_refused_when_all_slots_are_empty(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	uint32_t slot;

	(void)state;
	workers_start(group, workers);
	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(engine_empty(group->engine, 0, slot), 0);
	check_everybody_is_refused(group);
	assert_int_equal(group_counters(group).empty_slot, 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_group_of_one_empty_slot_refuses(void **state)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(group, 0);

	(void)state;
	assert_int_equal(engine_empty(group->engine, 0, 0), 0);
	check_everybody_is_refused(group);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuse_turns_new_clients_away_and_keeps_the_queue),
		cmocka_unit_test(refuse_keeps_a_queue_that_is_about_to_move),
		cmocka_unit_test(refuse_holds_for_a_worker_that_becomes_ready_later),
		cmocka_unit_test(clients_of_an_empty_slot_go_to_the_others),
		cmocka_unit_test(a_worker_that_shuts_its_socket_empties_its_slot),
		cmocka_unit_test(everybody_is_refused_when_all_slots_are_empty),
		cmocka_unit_test(a_group_of_one_empty_slot_refuses),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
