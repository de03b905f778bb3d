// SPDX-License-Identifier: MIT
/* How many connections may wait, and which of them are answered if there are more. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"

static void beyond_the_limit_the_oldest_gets_his_answer(void **state)
{
	struct delivery_limits limits = limits_patient();
	struct delivery_fixture fixture;
	struct fake_worker fake;
	uint32_t i;

	(void)state;
	limits.max_held = 3;
	fixture_begin(&fixture, limits);
	for (i = 0; i < 6; i++)
		fixture_submit(&fixture, i % 2 ? SLOT : OTHER, 1);
	assert_int_equal(fixture.counters.answered, 3);
	assert_int_equal(delivery_waiting(fixture.delivery), 3);
	for (i = 0; i < 6; i++)
		assert_true(i < 3 ? fixture_client_is_answered(&fixture, i)
				  : fixture_client_waits(&fixture, i));
	limits.max_held = 1;
	delivery_set_limits(fixture.delivery, &limits);
	assert_int_equal(fixture.counters.answered, 5);
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	fake_worker_check_got(&fake, 0, 5, 1);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

/*
 * Connections of a slot without a worker are answered before those of a slot whose worker is slow.
 */
static void beyond_the_limit_a_slow_workers_clients_go_last(void **state)
{
	struct delivery_limits limits = limits_patient();
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	limits.max_held = 4;
	fixture_begin(&fixture, limits);
	fake_worker_start(&fixture, SLOT, 1, &fake);
	fixture_submit(&fixture, SLOT, 4); /* 1 on the way, 3 wait */
	fixture_submit(&fixture, OTHER, 1);
	fixture_submit(&fixture, SLOT, 1);
	assert_int_equal(fixture.counters.answered, 1);
	assert_true(fixture_client_is_answered(&fixture, 4));
	fixture_submit(&fixture, SLOT, 1);
	assert_int_equal(fixture.counters.answered, 2);
	assert_true(fixture_client_is_answered(&fixture, 1));
	assert_true(fixture_client_waits(&fixture, 0) && fixture_client_waits(&fixture, 2));
	/* one more connection comes back, which is one too many */
	worker_endpoint_close(fake.endpoint);
	assert_int_equal(fixture.counters.answered, 3);
	assert_int_equal(delivery_waiting(fixture.delivery), 4);
	fixture_end(&fixture);
}

static void where_nobody_may_wait_everybody_is_answered(void **state)
{
	struct delivery_limits limits = limits_patient();
	struct delivery_fixture fixture;

	(void)state;
	limits.max_held = 0;
	fixture_begin(&fixture, limits);
	fixture_submit(&fixture, SLOT, 5);
	assert_int_equal(fixture.counters.answered, 5);
	assert_int_equal(delivery_waiting(fixture.delivery), 0);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beyond_the_limit_the_oldest_gets_his_answer),
		cmocka_unit_test(beyond_the_limit_a_slow_workers_clients_go_last),
		cmocka_unit_test(where_nobody_may_wait_everybody_is_answered),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
