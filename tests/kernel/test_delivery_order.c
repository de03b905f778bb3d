// SPDX-License-Identifier: MIT
/* Connections reach the worker of their slot in order, and not too many at a time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"

static void each_worker_gets_its_slots_connections_in_order(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fakes[SLOTS];
	uint32_t slot, i;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	for (slot = 0; slot < SLOTS; slot++)
		fake_worker_start(&fixture, slot, CLIENTS, &fakes[slot]);
	for (i = 0; i < 40; i++)
		fixture_submit(&fixture, i % SLOTS, 1);
	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(fakes[slot].count, 10);
		for (i = 0; i < 10; i++)
			assert_int_equal(fakes[slot].places[i], i * SLOTS + slot);
		assert_int_equal(worker_endpoint_on_the_way(fakes[slot].endpoint), 10);
		fake_worker_accept_all(&fakes[slot], 0);
		assert_int_equal(worker_endpoint_on_the_way(fakes[slot].endpoint), 0);
		assert_int_equal(fixture.counters.handed_of[slot], 10);
		worker_endpoint_close(fakes[slot].endpoint);
	}
	assert_int_equal(fixture.counters.handed, 40);
	assert_int_equal(delivery_waiting(fixture.delivery), 0);
	fixture_end(&fixture);
}

static void who_came_before_the_worker_is_first(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 20);
	fixture_submit(&fixture, OTHER, 3);
	fixture_check_waiting(&fixture, SLOT, 20);
	fake_worker_open(&fixture, SLOT, CLIENTS, &fake);
	fixture_check_waiting(&fixture, SLOT, 20);
	assert_int_equal(fake.tries, 0);
	worker_endpoint_take_slot(fake.endpoint);
	fake_worker_check_got(&fake, 0, 0, 20);
	fixture_submit(&fixture, SLOT, 5);
	fake_worker_check_got(&fake, 20, 23, 5);
	fixture_check_waiting(&fixture, SLOT, 0);
	assert_int_equal(delivery_waiting(fixture.delivery), 3);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

static void only_so_many_are_on_the_way(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;
	uint32_t i;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, 4, &fake);
	fixture_submit(&fixture, SLOT, 10);
	fake_worker_check_got(&fake, 0, 0, 4);
	fixture_check_waiting(&fixture, SLOT, 6);
	for (i = 0; i < 6; i++) {
		worker_endpoint_accepted(fake.endpoint, fake.ids[i]);
		fake_worker_check_got(&fake, 4, 4, i + 1);
		assert_int_equal(worker_endpoint_on_the_way(fake.endpoint), 4);
	}
	fake_worker_accept_all(&fake, 6);
	assert_int_equal(worker_endpoint_on_the_way(fake.endpoint), 0);
	fixture_submit(&fixture, SLOT, 5);
	fake_worker_check_got(&fake, 10, 10, 4);
	fixture_check_waiting(&fixture, SLOT, 1);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

/*
 * The controller closes its duplicate of a connection when the worker has accepted. If the worker
 * dies before that, the connection is not lost.
 */
static void our_end_is_closed_once_the_worker_has_accepted(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	fixture_submit(&fixture, SLOT, 3);
	assert_true(fixture_client_waits(&fixture, 0) && fixture_client_waits(&fixture, 1) &&
		    fixture_client_waits(&fixture, 2));
	/* The connections may be accepted in any order, but each counts once. */
	worker_endpoint_accepted(fake.endpoint, fake.ids[1]);
	worker_endpoint_accepted(fake.endpoint, fake.ids[1]);
	worker_endpoint_refused(fake.endpoint, fake.ids[1]);
	worker_endpoint_accepted(fake.endpoint, fake.ids[2] + 1000);
	worker_endpoint_refused(fake.endpoint, 0);
	assert_true(fixture_client_ended(&fixture, 1));
	assert_true(fixture_client_waits(&fixture, 0) && fixture_client_waits(&fixture, 2));
	assert_int_equal(fixture.counters.handed, 1);
	assert_int_equal(worker_endpoint_on_the_way(fake.endpoint), 2);
	worker_endpoint_accepted(fake.endpoint, fake.ids[2]);
	assert_true(fixture_client_ended(&fixture, 2));
	worker_endpoint_close(fake.endpoint);
	fixture_check_waiting(&fixture, SLOT, 1);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_gets_its_slots_connections_in_order),
		cmocka_unit_test(who_came_before_the_worker_is_first),
		cmocka_unit_test(only_so_many_are_on_the_way),
		cmocka_unit_test(our_end_is_closed_once_the_worker_has_accepted),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
