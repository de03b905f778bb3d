// SPDX-License-Identifier: MIT
/* Waiting connections follow the table when a slot goes away or comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "../support/clients.h"
#include "../support/delivery_fixture.h"
#include "../support/netns.h"

static void set_away(struct delivery_fixture *fixture, bool is_away)
{
	assert_int_equal(sticky_slot_set_away(fixture->group, SLOT, is_away), 0);
	assert_true(sticky_group_apply(fixture->group) > 0);
	delivery_table_changed(fixture->delivery);
}

static void who_waits_moves_with_the_table(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 30);
	fixture_submit(&fixture, OTHER, 2);
	set_away(&fixture, true);
	fixture_check_waiting(&fixture, SLOT, 0);
	assert_true(delivery_waiting_of(fixture.delivery, OTHER) > 2);
	assert_int_equal(delivery_waiting(fixture.delivery), 32);
	set_away(&fixture, false);
	fixture_check_waiting(&fixture, SLOT, 30);
	fixture_check_waiting(&fixture, OTHER, 2);
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	assert_int_equal(fake.count, 30);
	assert_int_equal(fixture.counters.answered, 0);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

static void start_all_but_one(struct delivery_fixture *fixture, struct fake_worker *fakes)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			fake_worker_start(fixture, slot, CLIENTS, &fakes[slot]);
}

static void close_all_but_one(struct fake_worker *fakes)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			worker_endpoint_close(fakes[slot].endpoint);
}

static uint32_t sum_of(const struct fake_worker *fakes)
{
	uint32_t slot, sum = 0;

	for (slot = 0; slot < SLOTS; slot++)
		sum += slot == SLOT ? 0 : fakes[slot].count;
	return sum;
}

/*
 * Connections that were passed on are not watched any more: their workers notice if the clients
 * close.
 */
static void who_moved_to_a_worker_may_go_away(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fakes[SLOTS];
	uint32_t i, slot;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 30);
	start_all_but_one(&fixture, fakes);
	set_away(&fixture, true);
	assert_int_equal(sum_of(fakes), 30);
	assert_int_equal(delivery_waiting(fixture.delivery), 0);
	for (i = 0; i < 15; i++)
		fixture_client_reset(&fixture, i);
	fixture_run_for(&fixture, 30);
	assert_int_equal(fixture.counters.client_gone, 0);
	assert_int_equal(delivery_waiting(fixture.delivery), 0);
	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			fake_worker_accept_all(&fakes[slot], 0);
	assert_int_equal(fixture.counters.handed, 30);
	close_all_but_one(fakes);
	fixture_end(&fixture);
}

/*
 * Check that the delivery ignores a client that closes after its connection was accepted. Before
 * that it has watched this connection.
 */
static void check_accepted_ones_go_away(struct delivery_fixture *fixture, struct fake_worker *fake)
{
	uint32_t i;

	fake_worker_accept_all(fake, 0);
	for (i = 0; i < fake->count; i++)
		fixture_client_reset(fixture, fake->places[i]);
	fixture_run_for(fixture, 20);
	assert_int_equal(fixture->counters.client_gone, 0);
	assert_int_equal(delivery_waiting(fixture->delivery), 0);
	close_all(fake->kept, fake->count);
}

static void who_was_accepted_may_go_away(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fakes[SLOTS];
	uint32_t slot;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 30);
	start_all_but_one(&fixture, fakes);
	for (slot = 0; slot < SLOTS; slot++)
		fakes[slot].keeps = true;
	set_away(&fixture, true);
	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			check_accepted_ones_go_away(&fixture, &fakes[slot]);
	assert_int_equal(fixture.counters.handed, 30);
	close_all_but_one(fakes);
	fixture_end(&fixture);
}

/* Here the connection waits for the worker of its own slot first. */
static void who_waited_and_was_accepted_may_go_away(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 10);
	fake_worker_open(&fixture, SLOT, CLIENTS, &fake);
	fake.keeps = true;
	worker_endpoint_take_slot(fake.endpoint);
	check_accepted_ones_go_away(&fixture, &fake);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

/* The worker is slow: connections that wait for it move, too. */
static void who_waits_for_a_slow_worker_moves_with_the_table(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fakes[SLOTS], slow;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	start_all_but_one(&fixture, fakes);
	fake_worker_start(&fixture, SLOT, 2, &slow);
	fixture_submit(&fixture, SLOT, 12);
	fixture_check_waiting(&fixture, SLOT, 10);
	set_away(&fixture, true);
	assert_int_equal(sum_of(fakes), 10);
	/*
	 * A connection that is on the way to the slow worker may still be accepted. If it comes
	 * back, it moves.
	 */
	worker_endpoint_accepted(slow.endpoint, slow.ids[0]);
	worker_endpoint_close(slow.endpoint);
	assert_int_equal(sum_of(fakes), 11);
	close_all_but_one(fakes);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_moves_with_the_table),
		cmocka_unit_test(who_moved_to_a_worker_may_go_away),
		cmocka_unit_test(who_was_accepted_may_go_away),
		cmocka_unit_test(who_waited_and_was_accepted_may_go_away),
		cmocka_unit_test(who_waits_for_a_slow_worker_moves_with_the_table),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
