// SPDX-License-Identifier: MIT
/* Each duration is counted in the right interval. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/histogram.h"

static void bounds_grow(void **state)
{
	size_t i;

	(void)state;
	for (i = 1; i < HISTOGRAM_BOUNDS; i++)
		assert_true(histogram_bound_ms(i) > histogram_bound_ms(i - 1));
}

static void a_bound_belongs_to_its_interval(void **state)
{
	struct histogram histogram;
	size_t i;

	(void)state;
	for (i = 0; i < HISTOGRAM_BOUNDS; i++) {
		histogram = (struct histogram){.sum_ms = 1};
		histogram_add(&histogram, histogram_bound_ms(i));
		histogram_add(&histogram, histogram_bound_ms(i) + 1);
		assert_int_equal(histogram.counts[i], 1);
		assert_int_equal(histogram.counts[i + 1], 1);
		assert_int_equal(histogram.sum_ms, 2 + 2 * histogram_bound_ms(i));
	}
}

static void nothing_is_too_short_or_too_long(void **state)
{
	struct histogram histogram = {.sum_ms = 0};

	(void)state;
	histogram_add(&histogram, 0);
	histogram_add(&histogram, UINT64_MAX);
	assert_int_equal(histogram.counts[0], 1);
	assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_grow),
		cmocka_unit_test(a_bound_belongs_to_its_interval),
		cmocka_unit_test(nothing_is_too_short_or_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
