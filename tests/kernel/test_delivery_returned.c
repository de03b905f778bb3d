// SPDX-License-Identifier: MIT
/*
 * A connection that its worker refuses or leaves behind goes to the slot's next worker, in order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"
#include "../support/wait.h"

static void a_refused_one_is_first_again_after_a_while(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;
	uint64_t start;

	(void)state;
	fixture_begin(&fixture, limits_of_budget(100, 100));
	fake_worker_start(&fixture, SLOT, 2, &fake);
	fixture_submit(&fixture, SLOT, 4);
	fake_worker_check_got(&fake, 0, 0, 2);
	fake.count = 0;
	start = wait_now_ms();
	worker_endpoint_refused(fake.endpoint, fake.ids[0]);
	assert_int_equal(fake.count, 0);
	fixture_check_waiting(&fixture, SLOT, 3);
	assert_int_equal(wait_until(fake_worker_was_sent, &fake), 0);
	assert_in_range(wait_now_ms() - start, 100 - EARLY_MS, 100 + SLACK_MS);
	fake_worker_check_got(&fake, 0, 0, 1);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

static void refused_ones_keep_their_order(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake, next;
	uint32_t i;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, 5, &fake);
	fixture_submit(&fixture, SLOT, 8);
	/* A process that stops gives connections back in the order in which it got them. */
	for (i = 0; i < 5; i++)
		worker_endpoint_refused(fake.endpoint, fake.ids[i]);
	fixture_check_waiting(&fixture, SLOT, 8);
	fake_worker_start(&fixture, SLOT, CLIENTS, &next);
	fake_worker_check_got(&next, 0, 0, 8);
	worker_endpoint_close(fake.endpoint);
	worker_endpoint_close(next.endpoint);
	fixture_end(&fixture);
}

static void what_a_predecessor_refuses_goes_to_the_successor_at_once(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker previous, next;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, CLIENTS, &previous);
	fixture_submit(&fixture, SLOT, 3);
	fake_worker_start(&fixture, SLOT, CLIENTS, &next);
	assert_int_equal(next.count, 0);
	worker_endpoint_accepted(previous.endpoint, previous.ids[0]);
	worker_endpoint_refused(previous.endpoint, previous.ids[1]);
	fake_worker_check_got(&next, 0, 1, 1);
	fixture_submit(&fixture, SLOT, 1);
	assert_int_equal(previous.count, 3);
	fake_worker_check_got(&next, 1, 3, 1);
	/* The previous worker may still accept the connections that are on the way to it. */
	worker_endpoint_accepted(previous.endpoint, previous.ids[2]);
	assert_int_equal(fixture.counters.handed_of[SLOT], 2);
	worker_endpoint_close(previous.endpoint);
	worker_endpoint_close(next.endpoint);
	fixture_end(&fixture);
}

static void what_a_worker_leaves_waits_in_order_for_the_next(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker previous, next;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, 6, &previous);
	fixture_submit(&fixture, SLOT, 10);
	worker_endpoint_accepted(previous.endpoint, previous.ids[0]); /* 7 is sent now */
	worker_endpoint_close(previous.endpoint);
	fixture_check_waiting(&fixture, SLOT, 9);
	fake_worker_start(&fixture, SLOT, CLIENTS, &next);
	fake_worker_check_got(&next, 0, 1, 9);
	worker_endpoint_close(next.endpoint);
	fixture_end(&fixture);
}

/* The usual reload: the next worker exists before the previous one ends. */
static void what_a_worker_leaves_goes_in_order_to_who_has_the_slot(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker previous, next;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, 6, &previous);
	fixture_submit(&fixture, SLOT, 6);
	fake_worker_start(&fixture, SLOT, CLIENTS, &next);
	worker_endpoint_close(previous.endpoint);
	fake_worker_check_got(&next, 0, 0, 6);
	worker_endpoint_close(next.endpoint);
	fixture_end(&fixture);
}

static void an_endpoint_that_left_gets_no_more(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, SLOT, 2, &fake);
	fixture_submit(&fixture, SLOT, 3);
	worker_endpoint_leave_slot(fake.endpoint);
	fake_worker_accept_all(&fake, 0);
	fixture_submit(&fixture, SLOT, 1);
	worker_endpoint_resume(fake.endpoint);
	fake_worker_check_got(&fake, 0, 0, 2);
	fixture_check_waiting(&fixture, SLOT, 2);
	worker_endpoint_leave_slot(fake.endpoint);
	worker_endpoint_take_slot(fake.endpoint);
	fake_worker_check_got(&fake, 2, 2, 2);
	worker_endpoint_close(fake.endpoint);
	worker_endpoint_close(NULL);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_one_is_first_again_after_a_while),
		cmocka_unit_test(refused_ones_keep_their_order),
		cmocka_unit_test(what_a_predecessor_refuses_goes_to_the_successor_at_once),
		cmocka_unit_test(what_a_worker_leaves_waits_in_order_for_the_next),
		cmocka_unit_test(what_a_worker_leaves_goes_in_order_to_who_has_the_slot),
		cmocka_unit_test(an_endpoint_that_left_gets_no_more),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
