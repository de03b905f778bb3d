/* SPDX-License-Identifier: MIT */
/* The table in use, and the computation of the next one. Pure. */
#ifndef STICKY_ENGINE_TABLE_STATE_H
#define STICKY_ENGINE_TABLE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"

struct table_state {
	struct sticky_table present;
	uint32_t buckets[STICKY_SLOTS_MAX]; /* number of buckets of each slot */
	/* the table of plain_slots slots if none of them is away */
	uint16_t plain[STICKY_BUCKETS];
	uint32_t plain_slots; /* 0: not computed yet */
};

/*
 * Compute the table of `slots` slots.
 *
 * is_away  `slots` elements; NULL: no slot is away
 *
 * Returns the table, to be freed by free(); NULL: out of memory.
 */
struct sticky_table *table_state_next(struct table_state *state, uint32_t slots,
				      const bool *is_away);

/* Note that this table is in use now. */
void table_state_take(struct table_state *state, const struct sticky_table *table);

#endif
