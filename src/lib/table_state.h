/* SPDX-License-Identifier: MIT */
/* The table that is in use, and how the next one follows from it. Pure. */
#ifndef STICKY_LIB_TABLE_STATE_H
#define STICKY_LIB_TABLE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"

struct plan {
	struct sticky_table present;
	uint32_t buckets[STICKY_SLOTS_MAX]; /* of each slot, in it */
	uint16_t plain[STICKY_BUCKETS];	    /* the table of plain_slots with nobody away */
	uint32_t plain_slots;		    /* 0: not computed yet */
};

/*
 * The table of `slots` slots.
 *
 * is_away  `slots` elements; NULL: nobody
 *
 * Returns it, freed by free(); NULL: out of memory.
 */
struct sticky_table *plan_next(struct plan *plan, uint32_t slots, const bool *is_away);

/* It is the one in use now. */
void plan_take(struct plan *plan, const struct sticky_table *table);

#endif
