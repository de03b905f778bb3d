// SPDX-License-Identifier: MIT
/* Numbers, times, sizes and rates are parsed, refused, and written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <errno.h>

#include "common/units.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED    0xa5a5a5a5a5a5a5a5ull
#define DAYS_30	     (30ull * 24 * 3600 * 1000)

typedef int parse_fn(const char *text, uint64_t *ret_value);

struct sample {
	const char *text;
	int result;
	uint64_t value; /* the expected value, if the result is 0 */
};

static void check(parse_fn *parse, const struct sample *samples, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		uint64_t value = UNTOUCHED;
		int result = parse(samples[i].text, &value);

		if (result != samples[i].result || value != (result ? UNTOUCHED : samples[i].value))
			fail_msg("\"%s\": %d, %ju", samples[i].text, result, (uintmax_t)value);
	}
}

static int parse_1_to_1024(const char *text, uint64_t *ret_value)
{
	return parse_number(text, 1, 1024, ret_value);
}

static void numbers(void **state)
{
	static const struct sample samples[] = {
		{"1", 0, 1},
		{"1024", 0, 1024},
		{"0017", 0, 17},
		{"0", -ERANGE, 0},
		{"1025", -ERANGE, 0},
		{"18446744073709551617", -ERANGE, 0}, /* 2^64 + 1 */
		{"99999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"1.0", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1e2", -EINVAL, 0},
		{"four", -EINVAL, 0},
		{"1k", -EINVAL, 0},
	};

	(void)state;
	check(parse_1_to_1024, samples, COUNT(samples));
}

static void times(void **state)
{
	static const struct sample samples[] = {
		{"0", 0, 0},
		{"150", 0, 150},
		{"150ms", 0, 150},
		{"30s", 0, 30000},
		{"5m", 0, 300000},
		{"2h", 0, 7200000},
		{"720h", 0, DAYS_30},
		{"2592000000", 0, DAYS_30},
		{"721h", -ERANGE, 0},
		{"2592000001ms", -ERANGE, 0},
		{"43201m", -ERANGE, 0},
		{"5124095576030431h", -ERANGE, 0}, /* in ms it would exceed 2^64 */
		{"", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1.5s", -EINVAL, 0},
		{"5 s", -EINVAL, 0},
		{"5S", -EINVAL, 0},
		{"5d", -EINVAL, 0},
		{"5min", -EINVAL, 0},
		{"5mss", -EINVAL, 0},
		{"1h30m", -EINVAL, 0},
	};

	(void)state;
	check(parse_time_ms, samples, COUNT(samples));
}

static void sizes(void **state)
{
	static const struct sample samples[] = {
		{"0", 0, 0},
		{"4096", 0, 4096},
		{"64K", 0, 65536},
		{"512M", 0, 512ull << 20},
		{"2G", 0, 2ull << 30},
		{"3T", 0, 3ull << 40},
		{"8388607T", 0, 8388607ull << 40},
		{"8388608T", -ERANGE, 0}, /* 2^63 */
		{"999999999999999999G", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"M", -EINVAL, 0},
		{"1m", -EINVAL, 0},
		{"1MB", -EINVAL, 0},
		{"1.5G", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"1 M", -EINVAL, 0},
		{"1P", -EINVAL, 0},
	};

	(void)state;
	check(parse_size, samples, COUNT(samples));
}

static void good_rates(void **state)
{
	uint64_t count, period_ms;

	(void)state;
	assert_int_equal(parse_rate("5/1m", 63, &count, &period_ms), 0);
	assert_int_equal(count, 5);
	assert_int_equal(period_ms, 60000);
	assert_int_equal(parse_rate("63/250", 63, &count, &period_ms), 0);
	assert_int_equal(count, 63);
	assert_int_equal(period_ms, 250);
	assert_int_equal(parse_rate("0/10s", 63, &count, &period_ms), 0);
	assert_int_equal(count, 0);
}

static void bad_rates(void **state)
{
	static const struct {
		const char *text;
		int result;
	} bad[] = {
		{"", -EINVAL},
		{"5", -EINVAL},
		{"/1m", -EINVAL},
		{"5/", -EINVAL},
		{"5/1d", -EINVAL},
		{"5 / 1m", -EINVAL},
		{"-5/1m", -EINVAL},
		{"5/1m/1", -EINVAL},
		{"64/1m", -ERANGE},
		{"5/721h", -ERANGE},
		{"99999999999999999999/1m", -ERANGE},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		uint64_t count = UNTOUCHED, period_ms = UNTOUCHED;

		if (parse_rate(bad[i].text, 63, &count, &period_ms) != bad[i].result)
			fail_msg("\"%s\"", bad[i].text);
		assert_true(count == UNTOUCHED && period_ms == UNTOUCHED);
	}
}

static void durations_are_written(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} samples[] = {
		{0, "0ms"},
		{999, "999ms"},
		{1000, "1s"},
		{59999, "59s"},
		{60000, "1m00s"},
		{192000, "3m12s"},
		{3599999, "59m59s"},
		{3600000, "1h00m"},
		{7500000, "2h05m"},
		{86399999, "23h59m"},
		{86400000, "1d0h"},
		{792000000, "9d4h"},
		{UINT64_MAX, "213503982334d14h"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(samples); i++) {
		char text[DURATION_TEXT_SIZE];

		format_duration(samples[i].ms, text);
		assert_string_equal(text, samples[i].text);
	}
}

static void bytes_are_written(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} samples[] = {
		{0, "0K"},
		{1023, "0K"},
		{812 * 1024, "812K"},
		{(10 << 20) - 1, "10239K"},
		{10 << 20, "10M"},
		{14 << 20, "14M"},
		{(10ull << 30) - 1, "10239M"},
		{10ull << 30, "10G"},
		{UINT64_MAX, "17179869183G"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(samples); i++) {
		char text[DURATION_TEXT_SIZE];

		format_bytes(samples[i].bytes, text);
		assert_string_equal(text, samples[i].text);
	}
}

static void counts_have_at_most_five_characters(void **state)
{
	static const struct {
		uint64_t count;
		const char *text;
	} cases[] = {
		{0, "0"},
		{99999, "99999"},
		{100000, "100K"},
		{999999, "999K"},
		{1000000, "1.0M"},
		{9876543, "9.8M"},
		{12345678, "12M"},
		{999999999, "999M"},
		{1000000000, "1.0G"},
		{UINT64_MAX, "18E"},
	};
	char text[DURATION_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		format_count(cases[i].count, text);
		assert_string_equal(text, cases[i].text);
		assert_true(strlen(text) <= 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(times),
		cmocka_unit_test(sizes),
		cmocka_unit_test(good_rates),
		cmocka_unit_test(bad_rates),
		cmocka_unit_test(durations_are_written),
		cmocka_unit_test(bytes_are_written),
		cmocka_unit_test(counts_have_at_most_five_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
