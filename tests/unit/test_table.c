// SPDX-License-Identifier: MIT
/* The table is as even as possible, moves as little as possible, and is short. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

/*
 * The source is included, and not the header: a table of N slots takes N steps of growth. To look
 * at each table from 1 to 1,024 slots, the test lets one table grow step by step. Another test
 * checks that table_fill() gives the same result.
 */
#include "engine/table.c"

static uint16_t now[STICKY_BUCKETS], next[STICKY_BUCKETS];

static void check_shares(const uint16_t *table, uint32_t slots)
{
	uint32_t owned[STICKY_SLOTS_MAX + 1] = {0};
	uint32_t least = STICKY_BUCKETS / slots, bucket, slot;

	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++) {
		if (table[bucket] >= slots)
			fail_msg("%u slots: bucket %u has slot %u", slots, bucket, table[bucket]);
		owned[table[bucket]]++;
	}
	for (slot = 0; slot < slots; slot++) {
		if (owned[slot] < least || owned[slot] > least + (STICKY_BUCKETS % slots != 0))
			fail_msg("%u slots: slot %u owns %u", slots, slot, owned[slot]);
		assert_int_equal(owned[slot], table_share(slots, slot));
	}
}

/* Check that with one more slot only the new slot gets buckets, and no more than its share. */
static void check_growth(const uint16_t *before, const uint16_t *after, uint32_t slots)
{
	uint32_t moved = 0, bucket;

	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++) {
		if (before[bucket] == after[bucket])
			continue;
		if (after[bucket] != slots)
			fail_msg("%u slots and one: bucket %u went from %u to %u", slots, bucket,
				 before[bucket], after[bucket]);
		moved++;
	}
	assert_int_equal(moved, STICKY_BUCKETS / (slots + 1));
	assert_int_equal(moved, table_share(slots + 1, slots));
}

static void one_slot_owns_everything(void **state)
{
	uint32_t bucket;

	(void)state;
	memset(now, 0xff, sizeof(now));
	table_fill(1, now);
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		assert_int_equal(now[bucket], 0);
	assert_int_equal(table_share(1, 0), STICKY_BUCKETS);
}

static void every_number_of_slots_is_even_and_grows_by_the_least(void **state)
{
	uint32_t slots;

	(void)state;
	table_fill(1, now);
	for (slots = 1; slots < STICKY_SLOTS_MAX; slots++) {
		check_shares(now, slots);
		memcpy(next, now, sizeof(next));
		grow(next, slots + 1);
		check_growth(now, next, slots);
		memcpy(now, next, sizeof(now));
	}
	check_shares(now, STICKY_SLOTS_MAX);
}

static bool is_checked_whole(uint32_t slots)
{
	return slots <= 24 || slots == 256 || slots == STICKY_SLOTS_MAX;
}

static void a_table_is_the_one_before_it_grown_by_a_slot(void **state)
{
	uint32_t slots;

	(void)state;
	table_fill(1, now);
	for (slots = 2; slots <= STICKY_SLOTS_MAX; slots++) {
		grow(now, slots);
		if (!is_checked_whole(slots))
			continue;
		table_fill(slots, next);
		assert_memory_equal(now, next, sizeof(now));
	}
}

/* After scaling up and down again, every client has its slot back. */
static void table_depends_on_nothing_but_the_number_of_slots(void **state)
{
	static const uint32_t detour[] = {9, 40, 3, 8, 64, 1};
	size_t i;

	(void)state;
	table_fill(8, now);
	for (i = 0; i < sizeof(detour) / sizeof(detour[0]); i++)
		table_fill(detour[i], next);
	memset(next, 0xa5, sizeof(next));
	table_fill(8, next);
	assert_memory_equal(now, next, sizeof(now));
}

/* Whatever the number of steps, the result is that of a computation from scratch. */
static void a_table_can_be_extended(void **state)
{
	static const uint32_t steps[] = {1, 2, 2, 3, 8, 33, 130, 130, STICKY_SLOTS_MAX};
	size_t i;

	(void)state;
	table_fill(1, now);
	for (i = 1; i < sizeof(steps) / sizeof(steps[0]); i++) {
		table_extend(steps[i - 1], steps[i], now);
		table_fill(steps[i], next);
		assert_memory_equal(now, next, sizeof(now));
	}
}

static uint32_t count_intervals(const uint16_t *table)
{
	uint32_t count = 1, bucket;

	for (bucket = 1; bucket < STICKY_BUCKETS; bucket++)
		count += table[bucket] != table[bucket - 1];
	return count;
}

static void table_is_short_as_a_list_of_intervals(void **state)
{
	uint32_t slots;

	(void)state;
	table_fill(1, now);
	for (slots = 2; slots <= 32; slots++) {
		grow(now, slots);
		assert_int_equal(count_intervals(now), slots * (slots - 1) / 2 + 1);
	}
	table_fill(8, now);
	assert_int_equal(count_intervals(now), 29);
	table_fill(16, now);
	assert_int_equal(count_intervals(now), 121);
	table_fill(32, now);
	assert_int_equal(count_intervals(now), 497);
}

static void shares_add_up(void **state)
{
	uint32_t slots, slot;

	(void)state;
	for (slots = 1; slots <= STICKY_SLOTS_MAX; slots++) {
		uint32_t sum = 0;

		for (slot = 0; slot < slots; slot++)
			sum += table_share(slots, slot);
		assert_int_equal(sum, STICKY_BUCKETS);
	}
}

/* Show how many buckets `bucket % slots` would move, by the same comparison: nearly all. */
static void a_plain_modulo_would_move_nearly_everything(void **state)
{
	uint32_t moved = 0, bucket;

	(void)state;
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		moved += bucket % 8 != bucket % 9;
	assert_true(moved > STICKY_BUCKETS * 8 / 10);
	assert_true(table_share(9, 8) < STICKY_BUCKETS / 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_slot_owns_everything),
		cmocka_unit_test(every_number_of_slots_is_even_and_grows_by_the_least),
		cmocka_unit_test(a_table_is_the_one_before_it_grown_by_a_slot),
		cmocka_unit_test(table_depends_on_nothing_but_the_number_of_slots),
		cmocka_unit_test(a_table_can_be_extended),
		cmocka_unit_test(table_is_short_as_a_list_of_intervals),
		cmocka_unit_test(shares_add_up),
		cmocka_unit_test(a_plain_modulo_would_move_nearly_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
