// SPDX-License-Identifier: MIT
#include "lib/table_state.h"

#include <stdlib.h>
#include <string.h>

#include "lib/table.h"

/*
 * A crash changes which slots are away, and not their number: the plain table is kept, and not
 * computed again.
 */
static void make_plain(struct plan *plan, uint32_t slots)
{
	if (plan->plain_slots && plan->plain_slots <= slots)
		table_extend(plan->plain_slots, slots, plan->plain);
	else
		table_fill(slots, plan->plain);
	plan->plain_slots = slots;
}

struct sticky_table *plan_next(struct plan *plan, uint32_t slots, const bool *is_away)
{
	struct sticky_table *table = malloc(sizeof(*table));

	if (!table)
		return NULL;
	make_plain(plan, slots);
	memcpy(table->slots, plan->plain, sizeof(table->slots));
	if (is_away)
		table_spill(slots, is_away, table->slots);
	table_shorten(table);
	return table;
}

void plan_take(struct plan *plan, const struct sticky_table *table)
{
	uint32_t bucket;

	plan->present = *table;
	memset(plan->buckets, 0, sizeof(plan->buckets));
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		plan->buckets[table->slots[bucket]]++;
}
