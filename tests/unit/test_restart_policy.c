// SPDX-License-Identifier: MIT
/* When the next worker of a slot is started, and when too many workers have died. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "policy/restart_policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void short_lives_double_the_delay_up_to_30_s(void **state)
{
	static const uint32_t delays[] = {100,	200,   400,   800,   1600,  3200,
					  6400, 12800, 25600, 30000, 30000, 30000};
	uint32_t delay = 0;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(delays); i++) {
		delay = restart_delay_ms(delay, 999, 1000);
		assert_int_equal(delay, delays[i]);
	}
}

static void a_long_life_resets_the_delay(void **state)
{
	(void)state;
	assert_int_equal(restart_delay_ms(12800, 1000, 1000), 100);
	assert_int_equal(restart_delay_ms(30000, UINT64_MAX, 1000), 100);
	assert_int_equal(restart_delay_ms(0, 0, 1000), 100);
	/* With --min-uptime 0 no worker dies too early. */
	assert_int_equal(restart_delay_ms(30000, 0, 0), 100);
	assert_int_equal(restart_delay_ms(UINT32_MAX, 0, 1000), 30000);
}

static void more_deaths_than_the_limit_in_the_period_are_told(void **state)
{
	struct restart_deaths deaths = {.count = 0};

	(void)state;
	assert_false(restart_note_death(&deaths, 1000, 3, 500));
	assert_false(restart_note_death(&deaths, 1100, 3, 500));
	assert_false(restart_note_death(&deaths, 1200, 3, 500));
	assert_true(restart_note_death(&deaths, 1500, 3, 500)); /* the first death is 500 ms old */
	/* the second death is 501 ms old */
	assert_false(restart_note_death(&deaths, 1601, 3, 500));
	assert_false(restart_note_death(&deaths, 9000, 3, 500));
}

static void a_limit_of_one_allows_one(void **state)
{
	struct restart_deaths deaths = {.count = 0};

	(void)state;
	assert_false(restart_note_death(&deaths, 0, 1, 10));
	assert_true(restart_note_death(&deaths, 10, 1, 10));
	assert_false(restart_note_death(&deaths, 21, 1, 10));
	assert_true(restart_note_death(&deaths, 21, 1, 10));
}

static void without_a_limit_nobody_dies_too_often(void **state)
{
	struct restart_deaths deaths = {.count = 0};
	int i;

	(void)state;
	for (i = 0; i < 3 * RESTART_DEATHS_MAX; i++)
		assert_false(restart_note_death(&deaths, 1, 0, UINT64_MAX));
}

/* Computes the result from all deaths so far, to compare it with that of the ring. */
static bool are_too_many(const uint64_t *at_ms, size_t count, uint32_t limit, uint64_t period_ms)
{
	uint64_t now = at_ms[count - 1];
	size_t i, within = 0;

	for (i = 0; i < count; i++)
		within += now - at_ms[i] <= period_ms;
	return limit && within > limit;
}

static void check_deaths(uint32_t limit, uint64_t period_ms)
{
	struct restart_deaths deaths = {.count = 0};
	uint64_t at_ms[1000], now = 0;
	size_t i;

	for (i = 0; i < COUNT(at_ms); i++) {
		bool too_many;

		now += (uint64_t)(rand() % 20);
		at_ms[i] = now;
		too_many = restart_note_death(&deaths, now, limit, period_ms);
		if (too_many != are_too_many(at_ms, i + 1, limit, period_ms))
			fail_msg("limit %u: death %zu: %d", limit, i, too_many);
	}
}

static void the_ring_forgets_nothing_that_matters(void **state)
{
	uint32_t limit;

	(void)state;
	srand(1);
	for (limit = 1; limit < RESTART_DEATHS_MAX; limit++)
		check_deaths(limit, (uint64_t)limit * 10);
}

static void jitter_is_from_90_to_100_percent(void **state)
{
	static const uint64_t limits[] = {0, 1, 9, 10, 1000, 86400000, 2592000000};
	uint32_t random;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(limits); i++) {
		uint64_t limit = limits[i];

		for (random = 0; random < 5000; random++) {
			uint64_t end = restart_age_ms(limit, random * 858993459u);

			assert_in_range(end, limit - limit / 10, limit);
		}
		assert_int_equal(restart_age_ms(limit, 0), limit);
	}
	/* The results are spread over this whole range. */
	assert_in_range(restart_age_ms(100000, 1023), 90000, 90010);
	assert_in_range(restart_age_ms(100000, 512), 94990, 95010);
	assert_in_range(restart_age_ms(100000, UINT32_MAX), 90000, 90010);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_lives_double_the_delay_up_to_30_s),
		cmocka_unit_test(a_long_life_resets_the_delay),
		cmocka_unit_test(more_deaths_than_the_limit_in_the_period_are_told),
		cmocka_unit_test(a_limit_of_one_allows_one),
		cmocka_unit_test(without_a_limit_nobody_dies_too_often),
		cmocka_unit_test(the_ring_forgets_nothing_that_matters),
		cmocka_unit_test(jitter_is_from_90_to_100_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
