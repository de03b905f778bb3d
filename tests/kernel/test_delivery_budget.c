// SPDX-License-Identifier: MIT
/* How long a connection waits for a worker, and the answer that it gets after that. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"
#include "../support/wait.h"

static void check_budget(uint32_t retries, uint32_t delay_ms)
{
	struct delivery_fixture fixture;
	uint64_t start, budget = (uint64_t)retries * delay_ms;

	fixture_begin(&fixture, limits_of_budget(retries, delay_ms));
	start = wait_now_ms();
	fixture_submit(&fixture, SLOT, 1);
	assert_int_equal(send(fixture.clients[0], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 1);
	assert_in_range(wait_now_ms() - start, budget, budget + delay_ms + SLACK_MS);
	assert_int_equal(wait_readable(fixture.clients[0]), 0);
	assert_true(fixture_client_got(&fixture, 0, "HTTP/1.1 503 Service Unavailable\r\n"));
	assert_in_range(fixture.counters.retried, retries, retries + SLACK_MS / (delay_ms + 1));
	assert_int_equal(delivery_waiting(fixture.delivery), 0);
	fixture_end(&fixture);
}

static void who_has_waited_for_his_time_gets_the_answer(void **state)
{
	(void)state;
	check_budget(4, 50);
	check_budget(1, 120);
	check_budget(30, 5);
	check_budget(0, 100);
}

static void everybody_waits_for_his_own_time(void **state)
{
	struct delivery_fixture fixture;
	uint64_t start = wait_now_ms();

	(void)state;
	fixture_begin(&fixture, limits_of_budget(10, 20));
	fixture_submit(&fixture, SLOT, 1);
	fixture_run_for(&fixture, 100);
	fixture_submit(&fixture, OTHER, 1);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 1);
	assert_true(wait_now_ms() - start >= 200);
	fixture_check_waiting(&fixture, SLOT, 0);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 2);
	assert_in_range(wait_now_ms() - start, 300, 300 + 2 * SLACK_MS);
	fixture_end(&fixture);
}

static void a_worker_that_comes_in_time_gets_them(void **state)
{
	struct delivery_fixture fixture;
	struct fake_worker fake;

	(void)state;
	fixture_begin(&fixture, limits_of_budget(10, 30));
	fixture_submit(&fixture, SLOT, 5);
	fixture_run_for(&fixture, 100);
	fake_worker_start(&fixture, SLOT, 2, &fake);
	fake_worker_check_got(&fake, 0, 0, 2);
	/* The other connections wait until the worker has accepted, however long that takes. */
	fixture_run_for(&fixture, 400);
	fixture_check_waiting(&fixture, SLOT, 3);
	assert_int_equal(fixture.counters.answered, 0);
	assert_in_range(fixture.counters.retried, 5 * 2, 5 * (3 + SLACK_MS / 30));
	/* The worker is gone, and the time of the connections begins. */
	worker_endpoint_close(fake.endpoint);
	fixture_check_waiting(&fixture, SLOT, 5);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 5);
	fixture_end(&fixture);
}

static void a_shorter_budget_is_in_force_at_once(void **state)
{
	struct delivery_limits limits = limits_of_budget(1, 50);
	struct delivery_fixture fixture;

	(void)state;
	fixture_begin(&fixture, limits_patient());
	fixture_submit(&fixture, SLOT, 2);
	fixture_run_for(&fixture, 60);
	delivery_set_limits(fixture.delivery, &limits);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 2);
	fixture_end(&fixture);
}

static void check_answer(enum down_answer kind, const char *request, const char *expected)
{
	struct delivery_limits limits = limits_of_budget(1, 20);
	struct delivery_fixture fixture;

	limits.answer = kind;
	fixture_begin(&fixture, limits);
	fixture_submit(&fixture, SLOT, 1);
	assert_true(send(fixture.clients[0], request, strlen(request), 0) >= 0);
	fixture_wait_counted(&fixture, &fixture.counters.answered, 1);
	if (expected) {
		assert_int_equal(wait_readable(fixture.clients[0]), 0);
		assert_true(fixture_client_got(&fixture, 0, expected));
	}
	assert_true(fixture_client_ended(&fixture, 0));
	fixture_end(&fixture);
}

static void the_answer_is_of_the_kind_that_was_asked_for(void **state)
{
	(void)state;
	check_answer(DOWN_ANSWER_502, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n");
	check_answer(DOWN_ANSWER_503, "GET", "HTTP/1.1 503 Service Unavailable\r\n");
	check_answer(DOWN_ANSWER_CLOSE, "GET / HTTP/1.1\r\n\r\n", NULL);
	check_answer(DOWN_ANSWER_502, "\x16\x03\x01",
		     NULL); /* a TLS handshake gets no plain text */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_waited_for_his_time_gets_the_answer),
		cmocka_unit_test(everybody_waits_for_his_own_time),
		cmocka_unit_test(a_worker_that_comes_in_time_gets_them),
		cmocka_unit_test(a_shorter_budget_is_in_force_at_once),
		cmocka_unit_test(the_answer_is_of_the_kind_that_was_asked_for),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
