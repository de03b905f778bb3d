/* SPDX-License-Identifier: MIT */
/*
 * The table, bucket -> slot, as a pure function of the number of slots.
 *
 * The table is grown, not hashed: table(N) is table(N-1) with just enough buckets handed to slot
 * N-1. Each older slot hands over one contiguous run, if it has one that is long enough.
 *   - Every slot owns 65536/N buckets, rounded down or up: as even as can be.
 *   - N-1 -> N moves the new slot's buckets and no others: as few as can be.
 *   - Contiguous runs keep the table short as a list of intervals: N(N-1)/2 + 1 of them.
 * A classic BPF program can be made from that list.
 */
#ifndef STICKY_ENGINE_TABLE_H
#define STICKY_ENGINE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"

/*
 * Fill the table for a number of slots.
 *
 * slots      1 to STICKY_SLOTS_MAX
 * ret_table  STICKY_BUCKETS elements
 *
 * Costs two passes over the table for each slot: 1 ms at 8 slots, a tenth of a second at 1,024.
 */
void table_fill(uint32_t slots, uint16_t *ret_table);

/*
 * Extend the table of fewer slots to that of `slots` slots.
 *
 * from  the number of slots of `table` so far, 1 to `slots`
 *
 * Costs two passes over the table for each new slot.
 */
void table_extend(uint32_t from, uint32_t slots, uint16_t *table);

/* Compute the short form of a table whose `slots` are filled in: see bpf/abi.h. */
void table_shorten(struct sticky_table *table);

/* Returns the number of buckets that a slot owns in the table of `slots` slots; slot < slots. */
uint32_t table_share(uint32_t slots, uint32_t slot);

/*
 * Give the buckets of slots that are away to the other slots, evenly and in runs. The result
 * depends only on the table and on which slots are away.
 *
 * is_away  `slots` elements; if all slots are away, nothing changes
 * table    the table of `slots` slots, in which none of them is away
 */
void table_spill(uint32_t slots, const bool *is_away, uint16_t *table);

/* Returns the number of buckets that differ between two tables. */
uint32_t table_difference(const uint16_t *a, const uint16_t *b);

#endif
