// SPDX-License-Identifier: MIT
/* Clients that close while their connections wait. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"

static void who_goes_away_is_forgotten(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fake_worker_start(&fixture, OTHER, 1, &fake);
	fixture_submit(&fixture, SLOT, 3);
	/* 3 is on the way to the worker, 4 and 5 wait until it has accepted */
	fixture_submit(&fixture, OTHER, 3);
	fixture_client_reset(&fixture, 1);
	fixture_client_reset(&fixture, 3);
	fixture_client_reset(&fixture, 4);
	fixture_wait_counted(&fixture, &fixture.counters.client_gone, 2);
	fixture_check_waiting(&fixture, SLOT, 2);
	fixture_check_waiting(&fixture, OTHER, 1);
	/* Connection 3 has already been sent: the worker will notice that it is closed. */
	assert_int_equal(worker_endpoint_on_the_way(fake.endpoint), 1);
	worker_endpoint_accepted(fake.endpoint, fake.ids[0]);
	fake_worker_check_got(&fake, 1, 5, 1);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

static void many_go_away_at_a_time(void **state)
{
	struct delivery_fixture fixture;
	uint32_t i;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 300);
	for (i = 0; i < 300; i++)
		if (i % 3)
			fixture_client_reset(&fixture, i);
	fixture_wait_counted(&fixture, &fixture.counters.client_gone, 200);
	fixture_check_waiting(&fixture, SLOT, 100);
	fixture_end(&fixture);
}

/* The client has sent its whole request and closed its half. It still waits for the answer. */
static void who_closed_his_half_still_waits(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 1);
	assert_int_equal(shutdown(fixture.clients[0], SHUT_WR), 0);
	fixture_run_for(&fixture, 30);
	fixture_check_waiting(&fixture, SLOT, 1);
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	fake_worker_check_got(&fake, 0, 0, 1);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_goes_away_is_forgotten),
		cmocka_unit_test(many_go_away_at_a_time),
		cmocka_unit_test(who_closed_his_half_still_waits),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
