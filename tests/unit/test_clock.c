// SPDX-License-Identifier: MIT
/* Clocks: their units, and the form in which the time of day is written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

#define UNTOUCHED 0xa5a5a5a5a5a5a5a5ull

static void the_clock_goes_on_in_milliseconds(void **state)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000000};
	uint64_t begin = clock_ms(), boot_begin = clock_boot_ms(), passed;

	(void)state;
	assert_int_equal(nanosleep(&pause, NULL), 0);
	passed = clock_ms() - begin;
	assert_in_range(passed, 19, 10000);
	assert_in_range(clock_boot_ms() - boot_begin, passed - 1, 10000);
}

static void both_units_are_of_one_clock(void **state)
{
	uint64_t before = clock_ms(), between = clock_monotonic_us();

	(void)state;
	assert_in_range(between / 1000, before, clock_ms());
}

static void suspended_time_counts_since_the_boot(void **state)
{
	(void)state;
	assert_true(clock_boot_ms() + 1 >= clock_ms());
}

static void cpu_time_is_read(void **state)
{
	uint64_t before = UNTOUCHED, after;

	(void)state;
	assert_int_equal(clock_cpu_ms(CLOCK_THREAD_CPUTIME_ID, &before), 0);
	assert_true(before < 60000);
	do
		assert_int_equal(clock_cpu_ms(CLOCK_THREAD_CPUTIME_ID, &after), 0);
	while (after == before);
	assert_true(after > before);
}

static void an_unknown_clock_is_an_error(void **state)
{
	uint64_t ms = UNTOUCHED;

	(void)state;
	assert_int_equal(clock_cpu_ms(12345, &ms), -EINVAL);
	assert_int_equal(ms, UNTOUCHED);
}

/* Read the text that clock_utc() wrote. Returns the seconds; the fraction is returned as a text. */
static time_t read_utc(const char *text, char fraction[16])
{
	struct tm utc = {0};

	assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d:%d.%15[0-9]Z", &utc.tm_year, &utc.tm_mon,
				&utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, fraction),
			 7);
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	return timegm(&utc);
}

static void the_time_of_day_is_written(void **state)
{
	char text[CLOCK_UTC_SIZE], fraction[16];
	int digits;

	(void)state;
	for (digits = 1; digits <= 9; digits++) {
		time_t before = time(NULL), written;

		clock_utc(digits, text);
		written = read_utc(text, fraction);
		assert_int_equal(strlen(text), strlen("2026-11-29T08:15:00.Z") + (size_t)digits);
		assert_int_equal(strlen(fraction), digits);
		assert_int_equal(text[strlen(text) - 1], 'Z');
		/* time() may lag behind by a tick. */
		assert_in_range(written, before, time(NULL) + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_goes_on_in_milliseconds),
		cmocka_unit_test(both_units_are_of_one_clock),
		cmocka_unit_test(suspended_time_counts_since_the_boot),
		cmocka_unit_test(cpu_time_is_read),
		cmocka_unit_test(an_unknown_clock_is_an_error),
		cmocka_unit_test(the_time_of_day_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
