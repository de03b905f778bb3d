// SPDX-License-Identifier: MIT
/* Connections can't be sent to a worker: its channel is full, memory is short, or it is gone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"
#include "../support/wait.h"

static void a_full_outlet_is_left_alone_until_it_can_be_sent_to(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_of_budget(2, 10));
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	fixture_submit(&fixture, SLOT, 2);
	fake.result = -EAGAIN;
	fixture_submit(&fixture, SLOT, 5);
	assert_int_equal(fake.tries, 3);
	fake_worker_accept_all(&fake, 0);
	assert_int_equal(fake.tries, 3);
	worker_endpoint_resume(fake.endpoint); /* too early */
	assert_int_equal(fake.tries, 4);
	fake.result = 0;
	/* The worker exists, but is slow: no client gets an error for that. */
	fixture_run_for(&fixture, 100);
	assert_int_equal(fake.tries, 4);
	fixture_check_waiting(&fixture, SLOT, 5);
	assert_int_equal(fixture.counters.answered, 0);
	worker_endpoint_resume(fake.endpoint);
	fake_worker_check_got(&fake, 2, 2, 5);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

static void a_full_machine_is_tried_again(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;
	uint64_t start;

	(void)state;
	fixture_begin(&fixture, limits_of_budget(100, 50));
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	fake.result = -ENOBUFS;
	start = wait_now_ms();
	fixture_submit(&fixture, SLOT, 5);
	assert_int_equal(fake.tries, 1);
	fake.result = 0;
	assert_int_equal(wait_until(fake_worker_was_sent, &fake), 0);
	assert_in_range(wait_now_ms() - start, 50 - EARLY_MS, 50 + SLACK_MS);
	fake_worker_check_got(&fake, 0, 0, 5);
	worker_endpoint_close(fake.endpoint);
	fixture_end(&fixture);
}

/* With a delay of zero the endpoint would be called again and again. */
static void a_full_machine_is_not_asked_without_a_pause(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_of_budget(0, 0));
	fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
	fake.result = -ENOBUFS;
	fixture_submit(&fixture, SLOT, 1);
	fixture_run_for(&fixture, 100);
	assert_in_range(fake.tries, 2, 12);
	assert_int_equal(fixture.counters.answered, 0);
	worker_endpoint_close(fake.endpoint);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 1);
	fixture_end(&fixture);
}

static void nothing_is_sent_to_an_end_that_is_gone(void **state)
{
	static const int errors[] = {-EPIPE, -ECONNRESET, -EBADF};
	struct delivery_fixture fixture;
	struct fake_worker fake, next;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fixture_begin(&fixture, limits_of_budget(100, 10));
		fake_worker_start(&fixture, SLOT, CLIENTS, &fake);
		fixture_submit(&fixture, SLOT, 1);
		fake.result = errors[i];
		fixture_submit(&fixture, SLOT, 3);
		fixture_run_for(&fixture, 50);
		assert_int_equal(fake.tries, 2);
		fixture_check_waiting(&fixture, SLOT, 3);
		worker_endpoint_close(fake.endpoint);
		fixture_check_waiting(&fixture, SLOT, 4);
		fake_worker_start(&fixture, SLOT, CLIENTS, &next);
		fake_worker_check_got(&next, 0, 0, 4);
		worker_endpoint_close(next.endpoint);
		fixture_end(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_outlet_is_left_alone_until_it_can_be_sent_to),
		cmocka_unit_test(a_full_machine_is_tried_again),
		cmocka_unit_test(a_full_machine_is_not_asked_without_a_pause),
		cmocka_unit_test(nothing_is_sent_to_an_end_that_is_gone),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
