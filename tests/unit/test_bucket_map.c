// SPDX-License-Identifier: MIT
/* The table as JSON: its intervals describe the whole table, and the text is bounded. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/bucket_map.h"
#include "engine/table.h"
#include "sticky.h"

#define TEXT_MAX 1000000

static uint16_t table[STICKY_BUCKET_COUNT];

/* Compare the intervals with the table. Returns their number. */
static size_t check(uint32_t slots)
{
	char *text = bucket_map_json(slots, table);
	json_t *map = json_loads(text, 0, NULL), *intervals = json_object_get(map, "intervals");
	size_t i, count = json_array_size(intervals);
	uint32_t bucket = 0;

	assert_true(strlen(text) < TEXT_MAX);
	assert_int_equal(json_integer_value(json_object_get(map, "slots")), slots);
	assert_int_equal(json_integer_value(json_object_get(map, "buckets")), STICKY_BUCKET_COUNT);
	for (i = 0; i < count; i++) {
		const json_t *next = json_array_get(intervals, i + 1);
		json_int_t end =
			next ? json_integer_value(json_array_get(next, 0)) : STICKY_BUCKET_COUNT;

		assert_int_equal(
			json_integer_value(json_array_get(json_array_get(intervals, i), 0)),
			bucket);
		for (; bucket < end; bucket++)
			assert_int_equal(table[bucket], json_integer_value(json_array_get(
								json_array_get(intervals, i), 1)));
	}
	assert_int_equal(bucket, STICKY_BUCKET_COUNT);
	json_decref(map);
	free(text);
	return count;
}

static void real_tables_have_few_intervals(void **state)
{
	static const uint32_t slots[] = {1, 2, 3, 4, 8, 16, 64, 256, 1024};
	size_t i, count;

	(void)state;
	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		table_fill(slots[i], table);
		count = check(slots[i]);
		print_message("# %u slots: %zu intervals\n", slots[i], count);
		assert_true(count >= slots[i]);
		assert_true(count <= (size_t)slots[i] * (slots[i] - 1) / 2 + 1);
	}
}

static void the_longest_text_is_bounded(void **state)
{
	uint32_t bucket;

	(void)state;
	for (bucket = 0; bucket < STICKY_BUCKET_COUNT; bucket++)
		table[bucket] = (uint16_t)(1022 + bucket % 2);
	assert_int_equal(check(1024), STICKY_BUCKET_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_tables_have_few_intervals),
		cmocka_unit_test(the_longest_text_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
