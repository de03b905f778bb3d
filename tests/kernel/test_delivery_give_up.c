// SPDX-License-Identifier: MIT
/* Giving up and closing: each connection that waits gets an answer, or is closed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "../support/delivery_fixture.h"
#include "handoff/carried.h"
#include "../support/netns.h"

static void once_given_up_nobody_waits_for_nobody(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;
	struct delivery_item item;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, OTHER, 1, &fake);
	fixture_submit(&fixture, SLOT, 3);
	fixture_submit(&fixture, OTHER, 2);
	item = fixture_connect(&fixture, SLOT); /* it is submitted, but not placed yet */
	assert_int_equal(delivery_submit(fixture.delivery, &item), 0);
	delivery_give_up(fixture.delivery);
	assert_int_equal(fixture.counters.answered, 4);
	fixture_check_waiting(&fixture, OTHER, 1);
	fixture_submit(&fixture, SLOT, 1);
	assert_int_equal(fixture.counters.answered, 5);
	/* A connection of a slot with a worker is still served. */
	worker_endpoint_accepted(fake.endpoint, fake.ids[0]);
	fake_worker_check_got(&fake, 1, 4, 1);
	worker_endpoint_accepted(fake.endpoint, fake.ids[1]);
	assert_int_equal(fixture.counters.handed, 2);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

static void once_given_up_a_workers_end_is_its_clients_answer(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, 2, &fake);
	fixture_submit(&fixture, SLOT, 5);
	delivery_give_up(fixture.delivery);
	assert_int_equal(fixture.counters.answered, 0);
	worker_endpoint_close(fake.endpoint);
	assert_int_equal(delivery_waiting(fixture.delivery), 0);
	assert_int_equal(fixture.counters.answered, 5);
	fixture_end(&fixture);
}

static void a_close_ends_all_who_are_left(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake, blocked;
	struct delivery_item item;
	uint32_t i;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, OTHER, 1, &fake);
	fake_worker_start(&fixture, 0, 5, &blocked);
	blocked.result = -ENOBUFS;
	fixture_submit(&fixture, SLOT, 2);  /* these wait, as the slot has no worker */
	fixture_submit(&fixture, OTHER, 3); /* these are on the way to a slow worker */
	fixture_submit(&fixture, 0, 2);	    /* these are to be sent again later */
	item = fixture_connect(&fixture, SLOT);
	assert_int_equal(delivery_submit(fixture.delivery, &item), 0); /* it is not placed yet */
	worker_endpoint_close(fake.endpoint);
	worker_endpoint_close(blocked.endpoint);
	delivery_close(fixture.delivery);
	fixture.delivery = NULL;
	for (i = 0; i < fixture.count; i++)
		assert_true(fixture_client_ended(&fixture, i));
	assert_int_equal(fixture.counters.handed + fixture.counters.answered, 0);
	assert_int_equal(fixture.exits.stop, fixture.count); /* each connection has one exit */
	fixture_end(&fixture);
}

/*
 * After an upgrade: the worker that got this connection does not exist any more, but may have
 * served it.
 */
static void what_no_worker_claims_ended_with_the_previous_controller(void **state)
{
	struct delivery_fixture fixture;
	struct carried_connection sent = {.slot = SLOT, .id = 7, .generation = 3};

	(void)state;
	fixture_begin(&fixture, limits_patient());
	sent.item = fixture_connect(&fixture, SLOT);
	assert_int_equal(delivery_expect(fixture.delivery, &sent), 0);
	assert_int_equal(fixture.exits.controller_ended, 0);
	delivery_end_expecting(fixture.delivery);
	assert_true(fixture_client_ended(&fixture, 0));
	assert_int_equal(fixture.exits.controller_ended, 1);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_given_up_nobody_waits_for_nobody),
		cmocka_unit_test(once_given_up_a_workers_end_is_its_clients_answer),
		cmocka_unit_test(a_close_ends_all_who_are_left),
		cmocka_unit_test(what_no_worker_claims_ended_with_the_previous_controller),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
