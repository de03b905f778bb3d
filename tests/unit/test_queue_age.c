// SPDX-License-Identifier: MIT
/*
 * How long the members of a queue have waited: no member is answered early, and none much too late.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "handoff/queue_age.h"

static void nobody_is_due_in_an_empty_queue(void **state)
{
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 4), 0);
	assert_int_equal(queue_age_due(&ages, 1000, 0), 0);
	queue_age_sample(&ages, 1000, 0);
	assert_int_equal(queue_age_due(&ages, 1000, 0), 0);
	assert_int_equal(queue_age_due(&ages, 9000, 10), 0);
	queue_age_fini(&ages);
}

static void who_was_counted_a_budget_ago_is_due(void **state)
{
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 4), 0);
	queue_age_sample(&ages, 1000, 2);
	queue_age_sample(&ages, 1100, 5);
	assert_int_equal(queue_age_due(&ages, 1299, 300), 0);
	assert_int_equal(queue_age_due(&ages, 1300, 300), 2);
	queue_age_remove(&ages);
	/* one member could not be answered yet */
	assert_int_equal(queue_age_due(&ages, 1300, 300), 1);
	queue_age_remove(&ages);
	assert_int_equal(queue_age_due(&ages, 1300, 300), 0);
	assert_int_equal(queue_age_due(&ages, 1399, 300), 0);
	assert_int_equal(queue_age_due(&ages, 1400, 300), 3);
	queue_age_fini(&ages);
}

/*
 * Members may be due together after a look that came late, or after some could not be answered in
 * time.
 */
static void all_who_are_due_are_due_at_once(void **state)
{
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 8), 0);
	queue_age_sample(&ages, 1000, 2);
	queue_age_sample(&ages, 1100, 5);
	queue_age_sample(&ages, 1200, 9);
	assert_int_equal(queue_age_due(&ages, 1450, 300), 5);
	/* The call changes nothing: members stay due until they are removed. */
	assert_int_equal(queue_age_due(&ages, 1450, 300), 5);
	queue_age_remove(&ages);
	queue_age_sample(&ages, 1451, 8);
	assert_int_equal(queue_age_due(&ages, 1451, 300), 4);
	assert_int_equal(queue_age_due(&ages, 1500, 300), 8);
	queue_age_fini(&ages);
}

/* No sample is lost, wherever the ring begins. */
static void every_first_sample_counts(void **state)
{
	uint32_t room, round;

	(void)state;
	for (room = 1; room < 40; room++) {
		struct queue_age ages;

		assert_int_equal(queue_age_init(&ages, room), 0);
		for (round = 1; round < 100; round++) {
			uint64_t now = round * 10000;

			queue_age_sample(&ages, now, 1);
			assert_int_equal(queue_age_due(&ages, now + 2999, 3000), 0);
			if (queue_age_due(&ages, now + 3000, 3000) != 1)
				fail_msg("room %u, round %u: not due", room, round);
			queue_age_remove(&ages);
			assert_int_equal(queue_age_due(&ages, now + 3000, 3000), 0);
		}
		queue_age_fini(&ages);
	}
}

static void a_budget_of_nothing_is_over_at_once(void **state)
{
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 2), 0);
	queue_age_sample(&ages, 7, 3);
	assert_int_equal(queue_age_due(&ages, 7, 0), 3);
	queue_age_fini(&ages);
}

/* While nothing arrives, the first sample that counts the waiting members stays valid. */
static void waiting_is_not_made_younger_by_samples(void **state)
{
	struct queue_age ages;
	uint64_t now;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 3), 0);
	for (now = 0; now < 1000; now += 10)
		queue_age_sample(&ages, now, 4);
	assert_int_equal(queue_age_due(&ages, 999, 1000), 0);
	assert_int_equal(queue_age_due(&ages, 1000, 1000), 4);
	queue_age_fini(&ages);
}

static void samples_without_arrivals_take_no_room(void **state)
{
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 3), 0);
	queue_age_sample(&ages, 0, 1);
	queue_age_sample(&ages, 10, 1);
	queue_age_sample(&ages, 20, 1);
	queue_age_sample(&ages, 30, 2);
	queue_age_sample(&ages, 40, 3);
	assert_int_equal(queue_age_due(&ages, 100, 100), 1);
	queue_age_remove(&ages);
	assert_int_equal(queue_age_due(&ages, 130, 100), 1);
	queue_age_remove(&ages);
	assert_int_equal(queue_age_due(&ages, 140, 100), 1);
	queue_age_fini(&ages);
}

static void a_full_ring_answers_later(void **state)
{
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 2), 0);
	queue_age_sample(&ages, 0, 1);
	queue_age_sample(&ages, 10, 2);
	/* the ring is full: the members of the second sample count from now on */
	queue_age_sample(&ages, 20, 3);
	assert_int_equal(queue_age_due(&ages, 100, 100), 1);
	queue_age_remove(&ages);
	assert_int_equal(queue_age_due(&ages, 110, 100), 0);
	assert_int_equal(queue_age_due(&ages, 119, 100), 0);
	assert_int_equal(queue_age_due(&ages, 120, 100), 2);
	queue_age_fini(&ages);
}

static void what_was_ended_can_be_ended_again(void **state)
{
	struct queue_age ages = {0};

	(void)state;
	queue_age_fini(&ages);
	assert_int_equal(queue_age_init(&ages, 8), 0);
	queue_age_fini(&ages);
	assert_null(ages.arrivals);
	assert_null(ages.at_ms);
	queue_age_fini(&ages);
}

/* ---- The calls of hold_timeout.c, with a simulated clock ------------------------------ */

#define QUEUE_MAX 4096

struct simulation {
	struct queue_age ages;
	uint64_t budget_ms;
	uint32_t delay_ms;
	uint64_t came_ms[QUEUE_MAX]; /* a ring */
	uint64_t arrived;
	uint64_t answered;
	uint64_t look_ms; /* time of the next sample, if a member waits then */
	uint64_t first;	  /* time of the last arrival at an empty queue */
	bool is_roomy;	  /* no member waits longer because the ring is full */
	uint64_t longest_ms;
	uint64_t shortest_ms;
};

static void begin(struct simulation *simulation, uint32_t retries, uint32_t delay_ms, uint32_t room)
{
	memset(simulation, 0, sizeof(*simulation));
	assert_int_equal(queue_age_init(&simulation->ages, room), 0);
	simulation->budget_ms = (uint64_t)retries * delay_ms;
	simulation->delay_ms = delay_ms ? delay_ms : 1;
	simulation->is_roomy = room >= retries + 2;
	simulation->first = UINT64_MAX;
	simulation->shortest_ms = UINT64_MAX;
}

static void answer_first(struct simulation *simulation, uint64_t now)
{
	uint64_t waited = now - simulation->came_ms[simulation->answered++ % QUEUE_MAX];

	if (waited > simulation->longest_ms)
		simulation->longest_ms = waited;
	if (waited < simulation->shortest_ms)
		simulation->shortest_ms = waited;
	queue_age_remove(&simulation->ages);
}

/*
 * Check that a member that arrived at an empty queue waits exactly for the budget, as it was
 * counted at once.
 */
static void check_first(struct simulation *simulation, uint64_t now)
{
	if (simulation->first == simulation->answered && simulation->first != UINT64_MAX)
		assert_true(now < simulation->came_ms[simulation->first % QUEUE_MAX] +
					  simulation->budget_ms);
}

static void look(struct simulation *simulation, uint64_t now)
{
	uint32_t length = (uint32_t)(simulation->arrived - simulation->answered);
	uint32_t due;

	queue_age_sample(&simulation->ages, now, length);
	due = queue_age_due(&simulation->ages, now, simulation->budget_ms);
	assert_true(due <= length);
	while (due--)
		answer_first(simulation, now);
	simulation->look_ms = now + simulation->delay_ms;
	if (simulation->is_roomy)
		check_first(simulation, now);
}

static void arrive(struct simulation *simulation, uint64_t now)
{
	bool is_first = simulation->arrived == simulation->answered;

	if (simulation->arrived - simulation->answered == QUEUE_MAX)
		return;
	if (is_first)
		simulation->first = simulation->arrived;
	simulation->came_ms[simulation->arrived++ % QUEUE_MAX] = now;
	/*
	 * An arrival at the empty queue is an event. Later arrivals are found by the timer's
	 * samples.
	 */
	if (is_first)
		look(simulation, now);
}

/*
 * Simulate arrivals, one in `every_ms` on average: sometimes many at once, sometimes none for a
 * long time.
 */
static void run(struct simulation *simulation, uint64_t end_ms, uint32_t every_ms)
{
	uint64_t now, quiet_until = 0;

	for (now = 1; now < end_ms || simulation->arrived > simulation->answered; now++) {
		int burst = rand() % 500 == 0 ? rand() % 20 : 0;

		if (rand() % 2000 == 0)
			quiet_until = now + (uint64_t)rand() % (3 * simulation->budget_ms + 10);
		if (now < end_ms && now >= quiet_until && (uint32_t)rand() % every_ms == 0)
			burst++;
		while (now < end_ms && now >= quiet_until && burst-- > 0)
			arrive(simulation, now);
		if (simulation->arrived > simulation->answered && now >= simulation->look_ms)
			look(simulation, now);
		assert_true(now < end_ms + 10 * simulation->budget_ms + 1000);
	}
}

static void check_waiting(uint32_t retries, uint32_t delay_ms, uint32_t every_ms)
{
	struct simulation simulation;

	begin(&simulation, retries, delay_ms, retries + 2);
	run(&simulation, 60000, every_ms);
	assert_true(simulation.arrived > 50);
	if (simulation.shortest_ms < simulation.budget_ms ||
	    simulation.longest_ms > simulation.budget_ms + simulation.delay_ms)
		fail_msg("%u x %u ms, one in %u ms: waited from %ju to %ju ms", retries, delay_ms,
			 every_ms, (uintmax_t)simulation.shortest_ms,
			 (uintmax_t)simulation.longest_ms);
	queue_age_fini(&simulation.ages);
}

static void everybody_waits_for_the_budget_and_at_most_a_delay_more(void **state)
{
	static const struct {
		uint32_t retries, delay_ms;
	} budgets[] = {{20, 150}, {1, 100}, {3, 7}, {100, 10}, {500, 1}, {0, 150}, {20, 0}, {0, 0}};
	static const uint32_t every_ms[] = {2, 10, 100, 600};
	size_t i, j;

	(void)state;
	srand(3);
	for (i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
		for (j = 0; j < sizeof(every_ms) / sizeof(every_ms[0]); j++)
			check_waiting(budgets[i].retries, budgets[i].delay_ms, every_ms[j]);
}

static void with_too_little_room_nobody_is_answered_early(void **state)
{
	uint32_t room;

	(void)state;
	srand(4);
	for (room = 2; room < 12; room++) {
		struct simulation simulation;

		begin(&simulation, 20, 10, room);
		run(&simulation, 30000, 5);
		assert_int_equal(simulation.answered, simulation.arrived);
		assert_true(simulation.shortest_ms >= simulation.budget_ms);
		/* The last sample in the ring is younger than its members by one budget at most. */
		assert_true(simulation.longest_ms <= 2 * simulation.budget_ms + 20);
		/* Otherwise the ring was never full. */
		assert_true(simulation.longest_ms > simulation.budget_ms + 10);
		queue_age_fini(&simulation.ages);
	}
}

static void waits_are_measured_from_the_first_sample_on(void **state)
{
	struct histogram waits = {.sum_ms = 0};
	struct queue_age ages;

	(void)state;
	assert_int_equal(queue_age_init(&ages, 8), 0);
	queue_age_measure(&ages, 5000, &waits);
	queue_age_measure_first(&ages, 5000, &waits);
	assert_int_equal(waits.sum_ms, 0);
	queue_age_sample(&ages, 1000, 2);
	queue_age_sample(&ages, 1150, 5);
	queue_age_measure_first(&ages, 1200, &waits);
	assert_int_equal(waits.sum_ms, 200);
	queue_age_remove(&ages);
	queue_age_sample(&ages, 1300, 4); /* no member has come, and one has left */
	queue_age_measure(&ages, 1400, &waits);
	assert_int_equal(waits.sum_ms, 200 + 400 + 3 * 250);
	/* Samples of members that have left are skipped. */
	queue_age_remove(&ages);
	waits = (struct histogram){.sum_ms = 0};
	queue_age_measure_first(&ages, 1400, &waits);
	assert_int_equal(waits.sum_ms, 250);
	queue_age_measure(&ages, 1400, &waits);
	assert_int_equal(waits.sum_ms, 4 * 250);
	queue_age_fini(&ages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_due_in_an_empty_queue),
		cmocka_unit_test(who_was_counted_a_budget_ago_is_due),
		cmocka_unit_test(all_who_are_due_are_due_at_once),
		cmocka_unit_test(every_first_sample_counts),
		cmocka_unit_test(a_budget_of_nothing_is_over_at_once),
		cmocka_unit_test(waiting_is_not_made_younger_by_samples),
		cmocka_unit_test(samples_without_arrivals_take_no_room),
		cmocka_unit_test(a_full_ring_answers_later),
		cmocka_unit_test(what_was_ended_can_be_ended_again),
		cmocka_unit_test(everybody_waits_for_the_budget_and_at_most_a_delay_more),
		cmocka_unit_test(waits_are_measured_from_the_first_sample_on),
		cmocka_unit_test(with_too_little_room_nobody_is_answered_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
