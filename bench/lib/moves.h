/* SPDX-License-Identifier: MIT */
/* How many clients are moved to another worker when a worker is added. */
#ifndef STICKY_BENCH_MOVES_H
#define STICKY_BENCH_MOVES_H

#include <stdint.h>

#include "addresses.h"
#include "hashing.h"
#include "placing.h"
#include "sample.h"

/* From `of` workers to one more; a value for each round. */
struct moves {
	uint32_t of;
	struct sample moved[PLACING_COUNT];   /* the fraction of the clients */
	struct sample max_min[PLACING_COUNT]; /* with `of` workers; NAN: one has no client */
	double buckets;			      /* the fraction of our table's that changes */
};

/*
 * Add a worker to ret_moves->of of them, in `rounds` rounds with other seeds each.
 *
 * hashing  its seeds are changed; its number of workers is not used
 *
 * Returns 0 or -ENOMEM.
 */
int moves_measure(struct hashing *hashing, const struct address_set *set, uint32_t rounds,
		  struct moves *ret_moves);

#endif
