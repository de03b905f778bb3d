// SPDX-License-Identifier: MIT
#include "engine/table_state.h"

#include <stdlib.h>
#include <string.h>

#include "engine/table.h"

/*
 * Compute the table in which no slot is away, unless it is there already: a crash changes which
 * slots are away, but not their number.
 */
static void make_plain(struct table_state *state, uint32_t slots)
{
	if (state->plain_slots && state->plain_slots <= slots)
		table_extend(state->plain_slots, slots, state->plain);
	else
		table_fill(slots, state->plain);
	state->plain_slots = slots;
}

struct sticky_table *table_state_next(struct table_state *state, uint32_t slots,
				      const bool *is_away)
{
	struct sticky_table *table = malloc(sizeof(*table));

	if (!table)
		return NULL;
	make_plain(state, slots);
	memcpy(table->slots, state->plain, sizeof(table->slots));
	if (is_away)
		table_spill(slots, is_away, table->slots);
	table_shorten(table);
	return table;
}

void table_state_take(struct table_state *state, const struct sticky_table *table)
{
	uint32_t bucket;

	state->present = *table;
	memset(state->buckets, 0, sizeof(state->buckets));
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		state->buckets[table->slots[bucket]]++;
}
