// SPDX-License-Identifier: MIT
/* Reloads are counted by their events in the journal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "api/reload_times.h"
#include "common/log.h"

static uint64_t count(const struct histogram *histogram)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i <= HISTOGRAM_BOUNDS; i++)
		sum += histogram->counts[i];
	return sum;
}

static void end(struct journal *journal, bool ok)
{
	journal_add(journal, STICKY_LOG_DEBUG, "reload_ended", json_pack("{s:b}", "ok", ok));
}

static void reloads_are_counted(void **state)
{
	struct reload_times *times = NULL;
	struct journal *journal;
	const struct reload_totals *totals;

	(void)state;
	assert_int_equal(journal_open(&journal), 0);
	assert_int_equal(reload_times_open(journal, &times), 0);
	totals = reload_times_totals(times);
	end(journal, true); /* the begin of this reload was not seen: it has no duration */
	assert_int_equal(totals->succeeded, 0);
	journal_add(journal, STICKY_LOG_DEBUG, "reload_begun", NULL);
	journal_add(journal, STICKY_LOG_DEBUG, "reload_slot", NULL);
	assert_int_equal(totals->succeeded + totals->failed, 0);
	end(journal, true);
	journal_add(journal, STICKY_LOG_DEBUG, "reload_begun", NULL);
	end(journal, false);
	assert_int_equal(totals->succeeded, 1);
	assert_int_equal(totals->failed, 1);
	assert_int_equal(count(&totals->durations), 2);
	reload_times_close(times);
	end(journal, true); /* the journal has no follower any more */
	journal_close(journal);
}

static void nothing_is_closed_twice(void **state)
{
	(void)state;
	reload_times_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reloads_are_counted),
		cmocka_unit_test(nothing_is_closed_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
