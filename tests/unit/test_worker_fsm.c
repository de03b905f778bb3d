// SPDX-License-Identifier: MIT
/* The life of a worker: every cell of the table, and how often it may begin anew. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "supervise/worker_fsm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The slot first, so that nobody new comes; then the worker; then the time it has. */
#define STOP (ACTION_LEAVE_SLOT | ACTION_STOP_POLITELY | ACTION_START_DEADLINE)
/* What the dead left behind is killed, and its queue moves. */
#define BURY (ACTION_KILL | ACTION_LEAVE_SLOT)

struct cell {
	enum worker_state state;
	enum worker_event event;
	enum worker_state next;
	unsigned int actions;
};

static const struct cell expected[] = {
	{WORKER_STARTING, WORKER_BECAME_READY, WORKER_READY, ACTION_TAKE_SLOT},
	{WORKER_STARTING, WORKER_TIMED_OUT, WORKER_STARTING, ACTION_KILL},
	{WORKER_STARTING, WORKER_SUPERSEDED, WORKER_DRAINING, STOP},
	{WORKER_STARTING, WORKER_ASKED_TO_STOP, WORKER_DRAINING, STOP},
	{WORKER_STARTING, WORKER_SAYS_STOPPING, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_FELL_SILENT, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_MUST_END, WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
	{WORKER_STARTING, WORKER_EXITED, WORKER_GONE, BURY | ACTION_RESTART},

	{WORKER_READY, WORKER_BECAME_READY, WORKER_READY, 0},
	{WORKER_READY, WORKER_TIMED_OUT, WORKER_READY, 0},
	{WORKER_READY, WORKER_SUPERSEDED, WORKER_DRAINING, STOP},
	{WORKER_READY, WORKER_ASKED_TO_STOP, WORKER_DRAINING, STOP},
	{WORKER_READY, WORKER_SAYS_STOPPING, WORKER_DRAINING,
	 ACTION_LEAVE_SLOT | ACTION_START_DEADLINE | ACTION_REPLACE},
	{WORKER_READY, WORKER_FELL_SILENT, WORKER_READY, ACTION_KILL},
	{WORKER_READY, WORKER_MUST_END, WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
	{WORKER_READY, WORKER_EXITED, WORKER_GONE, BURY | ACTION_RESTART},

	{WORKER_DRAINING, WORKER_BECAME_READY, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_TIMED_OUT, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_SUPERSEDED, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_ASKED_TO_STOP, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_SAYS_STOPPING, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_FELL_SILENT, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_MUST_END, WORKER_DRAINING, ACTION_KILL},
	{WORKER_DRAINING, WORKER_EXITED, WORKER_GONE, BURY},

	{WORKER_GONE, WORKER_BECAME_READY, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_TIMED_OUT, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_SUPERSEDED, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_ASKED_TO_STOP, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_SAYS_STOPPING, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_FELL_SILENT, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_MUST_END, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_EXITED, WORKER_GONE, 0},
};

static void every_cell_is_as_written_here(void **state)
{
	bool seen[WORKER_STATE_COUNT][WORKER_EVENT_COUNT] = {{false}};
	size_t i;

	(void)state;
	assert_int_equal(COUNT(expected), WORKER_STATE_COUNT * WORKER_EVENT_COUNT);
	for (i = 0; i < COUNT(expected); i++) {
		const struct cell *cell = &expected[i];
		struct worker_step step = pool_step(cell->state, cell->event);

		assert_false(seen[cell->state][cell->event]);
		seen[cell->state][cell->event] = true;
		if (step.next != cell->next || step.actions != cell->actions)
			fail_msg("%s, %s: to %s with %#x", pool_state_name(cell->state),
				 pool_event_name(cell->event), pool_state_name(step.next),
				 step.actions);
	}
}

/* What no table, however changed, may break. */
static void check_rules(enum worker_state from, enum worker_event event)
{
	struct worker_step step = pool_step(from, event);

	/* The dead stay dead, and nobody comes back. */
	if (from == WORKER_GONE)
		assert_true(step.next == WORKER_GONE && step.actions == 0);
	assert_true(step.next >= from);
	/* The slot is taken by getting ready, and in no other way. */
	assert_int_equal(step.next == WORKER_READY && from != WORKER_READY,
			 (step.actions & ACTION_TAKE_SLOT) != 0);
	/* Whoever leaves READY has left the slot. */
	if (from == WORKER_READY && step.next != WORKER_READY)
		assert_true(step.actions & ACTION_LEAVE_SLOT);
	/* Nobody follows one that is draining: what follows it has begun already. */
	if (from == WORKER_DRAINING)
		assert_false(step.actions & (ACTION_REPLACE | ACTION_RESTART));
	/* One that drains has an end: a deadline, or it is killed now. */
	if (from < WORKER_DRAINING && step.next == WORKER_DRAINING)
		assert_true(step.actions & (ACTION_START_DEADLINE | ACTION_KILL));
	if (event == WORKER_EXITED)
		assert_int_equal(step.next, WORKER_GONE);
	else if (from != WORKER_GONE)
		assert_int_not_equal(step.next, WORKER_GONE);
}

static void no_cell_breaks_the_rules(void **state)
{
	enum worker_state from;
	enum worker_event event;

	(void)state;
	for (from = 0; from < WORKER_STATE_COUNT; from++)
		for (event = 0; event < WORKER_EVENT_COUNT; event++)
			check_rules(from, event);
}

static void names_are_there_and_differ(void **state)
{
	static const char *const states[] = {"starting", "ready", "draining", "gone"};
	static const char *const events[] = {"became_ready",  "timed_out",     "superseded",
					     "asked_to_stop", "says_stopping", "fell_silent",
					     "must_end",      "exited"};
	size_t i;

	(void)state;
	assert_int_equal(COUNT(states), WORKER_STATE_COUNT);
	assert_int_equal(COUNT(events), WORKER_EVENT_COUNT);
	for (i = 0; i < COUNT(states); i++)
		assert_string_equal(pool_state_name((enum worker_state)i), states[i]);
	for (i = 0; i < COUNT(events); i++)
		assert_string_equal(pool_event_name((enum worker_event)i), events[i]);
}

static void short_lives_double_the_delay_up_to_30_s(void **state)
{
	static const uint32_t delays[] = {100,	200,   400,   800,   1600,  3200,
					  6400, 12800, 25600, 30000, 30000, 30000};
	uint32_t delay = 0;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(delays); i++) {
		delay = pool_restart_delay(delay, 999, 1000);
		assert_int_equal(delay, delays[i]);
	}
}

static void a_long_life_resets_the_delay(void **state)
{
	(void)state;
	assert_int_equal(pool_restart_delay(12800, 1000, 1000), 100);
	assert_int_equal(pool_restart_delay(30000, UINT64_MAX, 1000), 100);
	assert_int_equal(pool_restart_delay(0, 0, 1000), 100);
	/* --min-uptime 0: no life is too short. */
	assert_int_equal(pool_restart_delay(30000, 0, 0), 100);
	assert_int_equal(pool_restart_delay(UINT32_MAX, 0, 1000), 30000);
}

static void more_deaths_than_the_limit_in_the_period_are_told(void **state)
{
	struct pool_deaths deaths = {.count = 0};

	(void)state;
	assert_false(pool_note_death(&deaths, 1000, 3, 500));
	assert_false(pool_note_death(&deaths, 1100, 3, 500));
	assert_false(pool_note_death(&deaths, 1200, 3, 500));
	assert_true(pool_note_death(&deaths, 1500, 3, 500));  /* the first is 500 ms old */
	assert_false(pool_note_death(&deaths, 1601, 3, 500)); /* the second is 501 */
	assert_false(pool_note_death(&deaths, 9000, 3, 500));
}

static void a_limit_of_one_allows_one(void **state)
{
	struct pool_deaths deaths = {.count = 0};

	(void)state;
	assert_false(pool_note_death(&deaths, 0, 1, 10));
	assert_true(pool_note_death(&deaths, 10, 1, 10));
	assert_false(pool_note_death(&deaths, 21, 1, 10));
	assert_true(pool_note_death(&deaths, 21, 1, 10));
}

static void without_a_limit_nobody_dies_too_often(void **state)
{
	struct pool_deaths deaths = {.count = 0};
	int i;

	(void)state;
	for (i = 0; i < 3 * POOL_DEATHS_MAX; i++)
		assert_false(pool_note_death(&deaths, 1, 0, UINT64_MAX));
}

/* The ring against all deaths ever. */
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
	struct pool_deaths deaths = {.count = 0};
	uint64_t at_ms[1000], now = 0;
	size_t i;

	for (i = 0; i < COUNT(at_ms); i++) {
		bool told;

		now += (uint64_t)(rand() % 20);
		at_ms[i] = now;
		told = pool_note_death(&deaths, now, limit, period_ms);
		if (told != are_too_many(at_ms, i + 1, limit, period_ms))
			fail_msg("limit %u: death %zu: %d", limit, i, told);
	}
}

static void the_ring_forgets_nothing_that_matters(void **state)
{
	uint32_t limit;

	(void)state;
	srand(1);
	for (limit = 1; limit < POOL_DEATHS_MAX; limit++)
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
			uint64_t end = pool_jitter(limit, random * 858993459u);

			assert_in_range(end, limit - limit / 10, limit);
		}
		assert_int_equal(pool_jitter(limit, 0), limit);
	}
	/* It is spread over all of that. */
	assert_in_range(pool_jitter(100000, 1023), 90000, 90010);
	assert_in_range(pool_jitter(100000, 512), 94990, 95010);
	assert_in_range(pool_jitter(100000, UINT32_MAX), 90000, 90010);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_written_here),
		cmocka_unit_test(no_cell_breaks_the_rules),
		cmocka_unit_test(names_are_there_and_differ),
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
