// SPDX-License-Identifier: MIT
/* When is a worker hung: it does not accept, although connections wait? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/hang_watch.h"

#define TIMEOUT 1000
#define LIST(...)                                                                                  \
	((const uint64_t[]){__VA_ARGS__}), sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

/* Look at a queue. Its list is given, too, and is used if the watch wants one. */
static enum hang_change look(struct hang_watch *watch, uint64_t now, uint32_t queue,
			     const uint64_t *cookies, size_t count)
{
	enum hang_change change = hang_watch_queue(watch, now, queue);

	if (change == HANG_SAME && hang_watch_wants_list(watch, now, TIMEOUT))
		change = hang_watch_list(watch, now, TIMEOUT, cookies, count);
	return change;
}

static void idle_is_not_hung(void **state)
{
	struct hang_watch watch = {0};
	uint64_t now;

	(void)state;
	for (now = 1; now < 9000; now += 250) {
		assert_int_equal(hang_watch_queue(&watch, now, 0), HANG_SAME);
		assert_false(hang_watch_wants_list(&watch, now, TIMEOUT));
	}
	assert_int_equal(hang_watch_age(&watch, now), 0);
}

static void a_queue_that_stays_is_hung(void **state)
{
	struct hang_watch watch = {0};

	(void)state;
	assert_int_equal(look(&watch, 100, 2, LIST(1, 2)), HANG_SAME);
	assert_false(hang_watch_wants_list(&watch, 100, TIMEOUT)); /* from the second look on */
	assert_int_equal(look(&watch, 350, 2, LIST(1, 2)), HANG_SAME);
	assert_false(hang_watch_wants_list(&watch, 1349, TIMEOUT)); /* not before the timeout */
	assert_int_equal(look(&watch, 1349, 3, LIST(1, 2, 3)), HANG_SAME);
	assert_int_equal(look(&watch, 1350, 3, LIST(1, 2, 3)), HANG_BEGAN);
	assert_int_equal(hang_watch_age(&watch, 1350), 1000);
	assert_int_equal(look(&watch, 1600, 4, LIST(1, 2, 3, 4)), HANG_SAME);
	assert_int_equal(hang_watch_age(&watch, 1600), 1250);
	/*
	 * The worker recovers: a connection that waited at the first look is gone, however long the
	 * queue is.
	 */
	assert_int_equal(look(&watch, 1850, 4, LIST(2, 3, 4, 5)), HANG_ENDED);
	assert_int_equal(hang_watch_age(&watch, 1850), 0);
	hang_watch_fini(&watch);
}

static void it_recovers_when_the_queue_gets_shorter(void **state)
{
	struct hang_watch watch = {0};

	(void)state;
	look(&watch, 100, 2, LIST(1, 2));
	look(&watch, 200, 2, LIST(1, 2));
	assert_int_equal(look(&watch, 1200, 2, LIST(1, 2)), HANG_BEGAN);
	assert_int_equal(hang_watch_queue(&watch, 1300, 1), HANG_ENDED);
	/* The worker hangs again later. */
	look(&watch, 1400, 1, LIST(2));
	assert_int_equal(look(&watch, 2400, 1, LIST(2)), HANG_BEGAN);
	assert_int_equal(hang_watch_queue(&watch, 2500, 0), HANG_ENDED);
	hang_watch_fini(&watch);
}

/* A connection arrives for each one that is accepted: the length never changes. */
static void a_busy_worker_with_a_full_queue_is_not_hung(void **state)
{
	struct hang_watch watch = {0};
	uint64_t now, first;

	(void)state;
	for (now = 100; now < 9000; now += 250) {
		first = now / 250;
		assert_int_equal(look(&watch, now, 2, LIST(first, first + 1)), HANG_SAME);
	}
	hang_watch_fini(&watch);
}

static void a_slow_worker_is_not_hung(void **state)
{
	struct hang_watch watch = {0};
	uint64_t now, first;

	(void)state;
	for (now = 100; now < 9000; now += 250) {
		first = now / 900;
		assert_int_equal(look(&watch, now, 3, LIST(first, first + 1, first + 2)),
				 HANG_SAME);
	}
	hang_watch_fini(&watch);
}

/*
 * Some connections of the list wait at a dispatcher, and are accepted there. This does not show
 * that the worker accepts.
 */
static void those_that_wait_elsewhere_do_not_count(void **state)
{
	struct hang_watch watch = {0};

	(void)state;
	look(&watch, 100, 2, LIST(1));
	look(&watch, 200, 2, LIST(1, 2, 3, 4));
	assert_int_equal(look(&watch, 1200, 2, LIST(2, 4)), HANG_BEGAN);
	hang_watch_fini(&watch);
	look(&watch, 2100, 2, LIST(1));
	look(&watch, 2200, 2, LIST(1, 2, 3, 4));
	assert_int_equal(look(&watch, 3200, 2, LIST(4)), HANG_SAME);
	hang_watch_fini(&watch);
}

/* A connection is accepted between the look at the length and the look at the list. */
static void a_list_that_is_shorter_than_the_queue(void **state)
{
	struct hang_watch watch = {0};

	(void)state;
	look(&watch, 100, 2, LIST(1, 2));
	look(&watch, 200, 2, LIST(2));
	assert_int_equal(look(&watch, 1200, 2, LIST(2, 3)), HANG_BEGAN);
	hang_watch_fini(&watch);
}

static void an_empty_list_proves_nothing(void **state)
{
	struct hang_watch watch = {0};
	uint64_t now;

	(void)state;
	for (now = 100; now < 9000; now += 250)
		assert_int_equal(look(&watch, now, 2, NULL, 0), HANG_SAME);
	hang_watch_fini(&watch);
}

static void without_a_timeout_no_list_is_wanted(void **state)
{
	struct hang_watch watch = {0};
	uint64_t now;

	(void)state;
	for (now = 100; now < 9000; now += 250) {
		hang_watch_queue(&watch, now, 2);
		assert_false(hang_watch_wants_list(&watch, now, 0));
		assert_int_equal(hang_watch_count(&watch, now, 0, 2, 7), HANG_SAME);
	}
	hang_watch_fini(&watch);
}

static void what_is_counted_needs_no_list(void **state)
{
	struct hang_watch watch = {0};

	(void)state;
	assert_int_equal(hang_watch_count(&watch, 100, TIMEOUT, 0, 7), HANG_SAME);
	assert_int_equal(hang_watch_count(&watch, 5000, TIMEOUT, 2, 7), HANG_SAME);
	assert_int_equal(hang_watch_count(&watch, 5999, TIMEOUT, 2, 7), HANG_SAME);
	/* The worker accepts a connection: the time begins anew. */
	assert_int_equal(hang_watch_count(&watch, 6100, TIMEOUT, 2, 8), HANG_SAME);
	assert_int_equal(hang_watch_count(&watch, 7099, TIMEOUT, 2, 8), HANG_SAME);
	assert_int_equal(hang_watch_count(&watch, 7100, TIMEOUT, 2, 8), HANG_BEGAN);
	assert_int_equal(hang_watch_age(&watch, 7100), 1000);
	assert_int_equal(hang_watch_count(&watch, 7200, TIMEOUT, 9, 8), HANG_SAME);
	assert_int_equal(hang_watch_count(&watch, 7300, TIMEOUT, 9, 9), HANG_ENDED);
	assert_int_equal(hang_watch_count(&watch, 8300, TIMEOUT, 9, 9), HANG_BEGAN);
	assert_int_equal(hang_watch_count(&watch, 8400, TIMEOUT, 0, 9), HANG_ENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_is_not_hung),
		cmocka_unit_test(a_queue_that_stays_is_hung),
		cmocka_unit_test(it_recovers_when_the_queue_gets_shorter),
		cmocka_unit_test(a_busy_worker_with_a_full_queue_is_not_hung),
		cmocka_unit_test(a_slow_worker_is_not_hung),
		cmocka_unit_test(those_that_wait_elsewhere_do_not_count),
		cmocka_unit_test(a_list_that_is_shorter_than_the_queue),
		cmocka_unit_test(an_empty_list_proves_nothing),
		cmocka_unit_test(without_a_timeout_no_list_is_wanted),
		cmocka_unit_test(what_is_counted_needs_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
