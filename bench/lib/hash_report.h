/* SPDX-License-Identifier: MIT */
/* Writes the results of bench/hash.c as JSON. */
#ifndef STICKY_BENCH_HASH_REPORT_H
#define STICKY_BENCH_HASH_REPORT_H

#include <stdio.h>

#include "addresses.h"
#include "hashing.h"
#include "moves.h"
#include "sample.h"

/* Each sample has one value for each round, as every round has other seeds. */
struct hash_scatter {
	uint32_t counts[STICKY_SLOTS_MAX]; /* counts of the first round */
	struct sample chi_square;
	struct sample max_min; /* NAN: a worker has no client */
};

#define MOVES_MAX 8

struct hash_results {
	uint32_t addresses, workers, rounds;
	int cpu;
	struct sample ms[HASH_COUNT]; /* SET_RANDOM */
	uint32_t set_sizes[SET_COUNT];
	struct hash_scatter scatter[SET_COUNT][HASH_COUNT];
	struct moves moves[MOVES_MAX];
	uint32_t move_count;
};

void hash_report_write(FILE *file, const struct hash_results *results);

#endif
