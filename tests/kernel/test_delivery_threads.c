// SPDX-License-Identifier: MIT
/* Several threads submit connections at the same time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "../support/delivery_fixture.h"
#include "../support/netns.h"
#include "../support/wait.h"

#define THREADS	   4
#define PER_THREAD 100

struct thread {
	pthread_t id;
	struct delivery *delivery;
	struct delivery_item items[PER_THREAD];
	int error;
};

static void *submit_all(void *context)
{
	struct thread *thread = context;
	uint32_t i;

	for (i = 0; i < PER_THREAD && !thread->error; i++)
		thread->error = delivery_submit(thread->delivery, &thread->items[i]);
	return NULL;
}

static bool all_came(void *context)
{
	struct fake_worker *fakes = context;
	uint32_t slot, sum = 0;

	fixture_turn(fakes[0].fixture);
	for (slot = 0; slot < SLOTS; slot++)
		sum += fakes[slot].count;
	return sum == THREADS * PER_THREAD;
}

/* Check that the connections of each thread arrive in the order in which it submitted them. */
static void check_order_of_threads(const struct fake_worker *fake)
{
	uint32_t last[THREADS] = {0}, i;

	for (i = 0; i < fake->count; i++) {
		uint32_t thread = fake->places[i] / PER_THREAD;

		assert_true(fake->places[i] + 1 > last[thread]);
		last[thread] = fake->places[i] + 1;
	}
}

static void threads_submit_at_a_time(void **state)
{
	static struct thread threads[THREADS];
	struct delivery_fixture fixture;
	struct fake_worker fakes[SLOTS];
	uint32_t i, slot;

	(void)state;
	memset(threads, 0, sizeof(threads));
	fixture_begin(&fixture, limits_patient());
	for (slot = 0; slot < SLOTS; slot++)
		fake_worker_start(&fixture, slot, CLIENTS, &fakes[slot]);
	for (i = 0; i < THREADS * PER_THREAD; i++) {
		threads[i / PER_THREAD].delivery = fixture.delivery;
		threads[i / PER_THREAD].items[i % PER_THREAD] =
			fixture_connect(&fixture, i % SLOTS);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i].id, NULL, submit_all, &threads[i]), 0);
	assert_int_equal(wait_until(all_came, fakes), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		assert_int_equal(threads[i].error, 0);
	}
	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(fakes[slot].count, THREADS * PER_THREAD / SLOTS);
		check_order_of_threads(&fakes[slot]);
		fake_worker_accept_all(&fakes[slot], 0);
		worker_endpoint_close(fakes[slot].endpoint);
	}
	assert_int_equal(fixture.counters.handed, THREADS * PER_THREAD);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_submit_at_a_time),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
