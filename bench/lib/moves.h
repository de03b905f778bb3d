/* SPDX-License-Identifier: MIT */
/* Counts the clients that are moved to another worker when a worker is added. */
#ifndef STICKY_BENCH_MOVES_H
#define STICKY_BENCH_MOVES_H

#include <stdint.h>

#include "addresses.h"
#include "hashing.h"
#include "placing.h"
#include "sample.h"

/* The change from `of` workers to one more. Each sample has a value for each round. */
struct moves {
	uint32_t of;
	struct sample moved[PLACING_COUNT];   /* fraction of the clients that is moved */
	struct sample max_min[PLACING_COUNT]; /* with `of` workers; NAN: a worker has no client */
	double buckets;			      /* fraction of our table's buckets that changes */
};

/*
 * Add a worker to ret_moves->of workers, in `rounds` rounds with other seeds each.
 *
 * hashing  its seeds are changed; its number of workers is not used
 *
 * Returns 0 or -ENOMEM.
 */
int moves_measure(struct hashing *hashing, const struct address_set *set, uint32_t rounds,
		  struct moves *ret_moves);

#endif
