// SPDX-License-Identifier: MIT
#include "engine/table.h"

#include <string.h>

/* A run of buckets that one slot owns: [start, start + length). */
struct run {
	uint32_t start;
	uint32_t length;
};

uint32_t table_share(uint32_t slots, uint32_t slot)
{
	/*
	 * The remainder goes to the lowest slots. When a slot is added, no other share grows, and
	 * the new slot gets no bucket of the remainder. A growing table therefore only takes
	 * buckets from the older slots.
	 */
	return STICKY_BUCKETS / slots + (slot < STICKY_BUCKETS % slots);
}

/* Find the longest run of each slot. If several are equally long, the first of them is taken. */
static void find_longest_runs(const uint16_t *table, uint32_t slots, struct run *ret_runs)
{
	uint32_t start = 0, bucket;

	memset(ret_runs, 0, slots * sizeof(*ret_runs));
	for (bucket = 1; bucket <= STICKY_BUCKETS; bucket++) {
		struct run *longest = &ret_runs[table[start]];

		if (bucket < STICKY_BUCKETS && table[bucket] == table[start])
			continue;
		if (bucket - start > longest->length)
			*longest = (struct run){.start = start, .length = bucket - start};
		start = bucket;
	}
}

/* Hand the end of a run to another slot. */
static void hand_over(uint16_t *table, const struct run *run, uint32_t count, uint16_t to)
{
	uint32_t end = run->start + run->length, bucket;

	for (bucket = end - count; bucket < end; bucket++)
		table[bucket] = to;
}

/* Change the table of slots - 1 slots into that of `slots` slots. */
static void grow(uint16_t *table, uint32_t slots)
{
	uint32_t surplus[STICKY_SLOTS_MAX];
	struct run longest[STICKY_SLOTS_MAX];
	uint32_t old = slots - 1, slot, missing = 0;

	for (slot = 0; slot < old; slot++) {
		surplus[slot] = table_share(old, slot) - table_share(slots, slot);
		missing += surplus[slot];
	}
	/*
	 * One round is enough, unless a slot's longest run is shorter than the number of buckets
	 * that the slot has to give.
	 */
	while (missing > 0) {
		find_longest_runs(table, old, longest);
		for (slot = 0; slot < old; slot++) {
			uint32_t count = surplus[slot];

			if (count > longest[slot].length)
				count = longest[slot].length;
			hand_over(table, &longest[slot], count, (uint16_t)old);
			surplus[slot] -= count;
			missing -= count;
		}
	}
}

void table_extend(uint32_t from, uint32_t slots, uint16_t *table)
{
	uint32_t count;

	for (count = from + 1; count <= slots; count++)
		grow(table, count);
}

void table_fill(uint32_t slots, uint16_t *ret_table)
{
	memset(ret_table, 0, STICKY_BUCKETS * sizeof(*ret_table));
	table_extend(1, slots, ret_table);
}

/* List the slots that are not away, in order. Returns their number. */
static uint32_t list_present(uint32_t slots, const bool *is_away, uint16_t *ret_present)
{
	uint32_t count = 0, slot;

	for (slot = 0; slot < slots; slot++)
		if (!is_away[slot])
			ret_present[count++] = (uint16_t)slot;
	return count;
}

void table_spill(uint32_t slots, const bool *is_away, uint16_t *table)
{
	uint16_t present[STICKY_SLOTS_MAX];
	uint32_t count = list_present(slots, is_away, present);
	uint32_t dealt[STICKY_SLOTS_MAX] = {0};
	uint32_t bucket;

	if (!count || count == slots)
		return;
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++) {
		uint32_t owner = table[bucket];
		uint32_t share = table_share(slots, owner);

		if (!is_away[owner])
			continue;
		/* The n-th part of an away slot's buckets goes to the n-th present slot. */
		table[bucket] = present[(uint64_t)dealt[owner]++ * count / share];
	}
}

uint32_t table_difference(const uint16_t *a, const uint16_t *b)
{
	uint32_t count = 0, bucket;

	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		count += a[bucket] != b[bucket];
	return count;
}

static uint32_t shorten_block(const uint16_t *slots)
{
	uint32_t last = STICKY_BLOCK_BUCKETS - 1, first = last, bucket;

	while (first > 0 && slots[first - 1] == slots[last])
		first--;
	for (bucket = 1; bucket < first; bucket++)
		if (slots[bucket] != slots[0])
			return STICKY_BLOCK_MIXED;
	return slots[0] | (uint32_t)slots[last] << STICKY_BLOCK_OTHER_BITS |
	       first << STICKY_BLOCK_FIRST_BITS;
}

void table_shorten(struct sticky_table *table)
{
	uint32_t block;

	for (block = 0; block < STICKY_BLOCKS; block++)
		table->blocks[block] = shorten_block(table->slots + block * STICKY_BLOCK_BUCKETS);
}
