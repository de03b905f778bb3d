/* SPDX-License-Identifier: MIT */
/*
 * What one run of the program costs, as the kernel measures it.
 *
 * The measuring itself costs about as much as the program; so each round also measures
 * an empty program, on the same kind of socket, driven in the same way by the same
 * clients, and what counts is the difference.
 *
 * Every run is for another client than the one before: with a single client everything
 * that the program reads would be in the processor's nearest cache.
 */
#ifndef STICKY_BENCH_COST_H
#define STICKY_BENCH_COST_H

#include <stdint.h>

#include "listening.h"
#include "loopback.h"
#include "program_stats.h"
#include "sample.h"

/* What makes the program run. */
enum cost_drive {
	/* Whole connections. Between two runs the kernel does much else, and the caches are
	 * cold: what a moderately busy server sees. */
	DRIVE_CONNECTIONS,
	/* Packets back to back, see stray.h: the program as such, and a SYN flood's price. */
	DRIVE_PACKETS,
	DRIVE_COUNT
};

extern const char *const cost_drive_names[DRIVE_COUNT];

/* Nanoseconds a run, one value a round. */
struct cost_series {
	struct sample sticky, empty, net;
};

struct cost {
	/* What to measure. */
	enum client_family family;
	uint32_t slots;
	struct listening_options options;
	/* What was measured. */
	struct cost_series series[DRIVE_COUNT];
	struct program_stats program;
};

struct cost_bench;

/*
 * Set up a library group, and a plain group with the empty program, for a case.
 * Returns 0 or -errno.
 */
int cost_open(struct cost *cost, struct cost_bench **ret_bench);

/* One round: so many runs of each of the two, in each way. Returns 0 or -errno. */
int cost_round(struct cost_bench *bench, uint32_t runs);

/* NULL is allowed. */
void cost_close(struct cost_bench *bench);

#endif
