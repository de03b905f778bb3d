// SPDX-License-Identifier: MIT
/* Spilling: the buckets of absent slots are given to the other slots evenly, and come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/table.h"

static uint16_t home[STICKY_BUCKETS], table[STICKY_BUCKETS];
static uint32_t got[STICKY_SLOTS_MAX];

static void fill(uint32_t slots)
{
	table_fill(slots, home);
	memcpy(table, home, sizeof(table));
}

static void nobody_away_changes_nothing(void **state)
{
	bool is_away[16] = {false};

	(void)state;
	fill(16);
	table_spill(16, is_away, table);
	assert_memory_equal(table, home, sizeof(table));
	assert_int_equal(table_difference(table, home), 0);
}

static void all_away_changes_nothing(void **state)
{
	bool is_away[16];

	(void)state;
	memset(is_away, 1, sizeof(is_away));
	fill(16);
	table_spill(16, is_away, table);
	assert_memory_equal(table, home, sizeof(table));
	fill(1);
	table_spill(1, is_away, table);
	assert_memory_equal(table, home, sizeof(table));
}

static uint32_t count_present(uint32_t slots, const bool *is_away)
{
	uint32_t slot, count = 0;

	for (slot = 0; slot < slots; slot++)
		count += !is_away[slot];
	return count;
}

/*
 * Check where the buckets of an absent slot have gone: to each of the other slots, in equal
 * numbers.
 */
static void check_dealt(uint32_t slots, const bool *is_away, uint32_t away)
{
	uint32_t least = table_share(slots, away) / count_present(slots, is_away), bucket, slot;

	memset(got, 0, sizeof(got));
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		if (home[bucket] == away)
			got[table[bucket]]++;
	for (slot = 0; slot < slots; slot++) {
		uint32_t most = is_away[slot] ? 0 : least + 1;

		if (got[slot] > most || (!is_away[slot] && got[slot] < least))
			fail_msg("%u slots: slot %u got %u buckets of slot %u", slots, slot,
				 got[slot], away);
	}
}

static void check_others(uint32_t slots, const bool *is_away)
{
	uint32_t bucket;

	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++) {
		assert_true(table[bucket] < slots);
		assert_false(is_away[table[bucket]]);
		if (!is_away[home[bucket]])
			assert_int_equal(table[bucket], home[bucket]);
	}
}

static void check_spill(uint32_t slots, const bool *is_away)
{
	uint32_t slot, moved = 0;

	memcpy(table, home, sizeof(table));
	table_spill(slots, is_away, table);
	check_others(slots, is_away);
	for (slot = 0; slot < slots; slot++) {
		if (!is_away[slot])
			continue;
		check_dealt(slots, is_away, slot);
		moved += table_share(slots, slot);
	}
	assert_int_equal(table_difference(table, home), moved);
	assert_int_equal(table_difference(home, table), moved);
}

static void each_one_away_is_dealt_to_all_others(void **state)
{
	uint32_t slots, away;

	(void)state;
	for (slots = 2; slots <= 9; slots++) {
		fill(slots);
		for (away = 0; away < slots; away++) {
			bool is_away[9] = {false};

			is_away[away] = true;
			check_spill(slots, is_away);
		}
	}
}

static void any_set_of_them_is_dealt_to_the_rest(void **state)
{
	uint32_t set, slot;

	(void)state;
	fill(7);
	for (set = 1; set < (1u << 7) - 1; set++) {
		bool is_away[7];

		for (slot = 0; slot < 7; slot++)
			is_away[slot] = set >> slot & 1;
		check_spill(7, is_away);
	}
}

static void many_slots_are_dealt_too(void **state)
{
	static const uint32_t numbers[] = {33, 256, STICKY_SLOTS_MAX};
	bool is_away[STICKY_SLOTS_MAX];
	uint32_t slot;
	size_t i;

	(void)state;
	srand(5);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		fill(numbers[i]);
		memset(is_away, 0, sizeof(is_away));
		for (slot = 0; slot < 8; slot++)
			is_away[(uint32_t)rand() % numbers[i]] = true;
		check_spill(numbers[i], is_away);
	}
	/* All slots but one are away: that one gets all buckets. */
	memset(is_away, 1, sizeof(is_away));
	is_away[STICKY_SLOTS_MAX - 1] = false;
	check_spill(STICKY_SLOTS_MAX, is_away);
}

/* There are few runs, so that a classic BPF program could be made from them. */
static void buckets_are_dealt_in_runs(void **state)
{
	bool is_away[8] = {false, false, true};
	uint32_t bucket, before = 1, after = 1;

	(void)state;
	fill(8);
	table_spill(8, is_away, table);
	for (bucket = 1; bucket < STICKY_BUCKETS; bucket++) {
		before += home[bucket] != home[bucket - 1];
		after += table[bucket] != table[bucket - 1];
	}
	assert_true(after <= before + 7);
}

/* The result depends on which slots are away now, and not on those that were away before. */
static void everybody_comes_back_to_the_owner(void **state)
{
	static uint16_t first[STICKY_BUCKETS];
	bool is_away[6] = {false, true, false, false, true, false};

	(void)state;
	fill(6);
	table_spill(6, is_away, table);
	memcpy(first, table, sizeof(first));
	assert_true(table_difference(first, home) > 0);

	is_away[4] = false;
	fill(6);
	table_spill(6, is_away, table);
	assert_int_equal(table_difference(table, home), table_share(6, 1));

	is_away[4] = true;
	fill(6);
	table_spill(6, is_away, table);
	assert_memory_equal(table, first, sizeof(table));

	memset(is_away, 0, sizeof(is_away));
	fill(6);
	table_spill(6, is_away, table);
	assert_memory_equal(table, home, sizeof(table));
}

static void differences_are_counted(void **state)
{
	(void)state;
	fill(4);
	table[0] ^= 1;
	table[STICKY_BUCKETS - 1] ^= 1;
	table[777] ^= 2;
	assert_int_equal(table_difference(table, home), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_away_changes_nothing),
		cmocka_unit_test(all_away_changes_nothing),
		cmocka_unit_test(each_one_away_is_dealt_to_all_others),
		cmocka_unit_test(any_set_of_them_is_dealt_to_the_rest),
		cmocka_unit_test(many_slots_are_dealt_too),
		cmocka_unit_test(buckets_are_dealt_in_runs),
		cmocka_unit_test(everybody_comes_back_to_the_owner),
		cmocka_unit_test(differences_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
