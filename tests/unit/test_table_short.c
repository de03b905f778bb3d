// SPDX-License-Identifier: MIT
/*
 * The short form of the table gives the same slot for every bucket as the full table. This is
 * tested separately, as the program and the library read the short form by the same code and would
 * agree about a wrong result.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "bpf/select.h"
#include "engine/table.h"

static struct sticky_table table;

static void check_short_form(void)
{
	uint32_t bucket;

	memset(table.blocks, 0xa5, sizeof(table.blocks));
	table_shorten(&table);
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		if (sticky_table_slot(&table, bucket) != table.slots[bucket])
			fail_msg("bucket %u: %u in place of %u", bucket,
				 sticky_table_slot(&table, bucket), table.slots[bucket]);
}

static uint32_t count_mixed(void)
{
	uint32_t count = 0, block;

	for (block = 0; block < STICKY_BLOCKS; block++)
		count += table.blocks[block] == STICKY_BLOCK_MIXED;
	return count;
}

static void short_form_agrees_at_any_number_of_slots(void **state)
{
	static const uint32_t more[] = {256, 512, 1000, 1023, STICKY_SLOTS_MAX};
	uint32_t slots, i;

	(void)state;
	for (slots = 1; slots <= 130; slots++) {
		table_fill(slots, table.slots);
		check_short_form();
	}
	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		table_fill(more[i], table.slots);
		check_short_form();
	}
}

/* With the short form the program need not read the full table, unless most blocks are mixed. */
static void short_form_is_enough_for_nearly_all_at_few_slots(void **state)
{
	(void)state;
	table_fill(8, table.slots);
	check_short_form();
	assert_int_equal(count_mixed(), 0);
	table_fill(32, table.slots);
	check_short_form();
	assert_in_range(count_mixed(), 0, STICKY_BLOCKS / 20);
}

static void short_form_agrees_while_slots_are_away(void **state)
{
	static const uint32_t counts[] = {2, 8, 33, 130, STICKY_SLOTS_MAX};
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		bool is_away[STICKY_SLOTS_MAX] = {[1] = true, [6] = true, [32] = true};

		table_fill(counts[i], table.slots);
		table_spill(counts[i], is_away, table.slots);
		check_short_form();
	}
}

/*
 * A block has one border, at each place in turn, between the slots whose numbers have the most
 * bits.
 */
static void a_block_may_have_one_border_anywhere(void **state)
{
	uint32_t border, bucket;

	(void)state;
	for (border = 0; border <= STICKY_BLOCK_BUCKETS; border++) {
		for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
			table.slots[bucket] = bucket % STICKY_BLOCK_BUCKETS < border
						      ? STICKY_SLOTS_MAX - 1
						      : STICKY_SLOTS_MAX - 2;
		check_short_form();
		assert_int_equal(count_mixed(), 0);
	}
}

/* A single bucket of another slot makes two borders, unless it is at an end of the block. */
static void a_block_with_two_borders_is_looked_up(void **state)
{
	uint32_t stranger, bucket;

	(void)state;
	for (stranger = 0; stranger < STICKY_BLOCK_BUCKETS; stranger++) {
		bool is_at_end = stranger == 0 || stranger == STICKY_BLOCK_BUCKETS - 1;

		for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
			table.slots[bucket] = bucket % STICKY_BLOCK_BUCKETS == stranger;
		check_short_form();
		assert_int_equal(count_mixed(), is_at_end ? 0 : STICKY_BLOCKS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_form_agrees_at_any_number_of_slots),
		cmocka_unit_test(short_form_is_enough_for_nearly_all_at_few_slots),
		cmocka_unit_test(short_form_agrees_while_slots_are_away),
		cmocka_unit_test(a_block_may_have_one_border_anywhere),
		cmocka_unit_test(a_block_with_two_borders_is_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
