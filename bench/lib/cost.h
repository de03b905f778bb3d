/* SPDX-License-Identifier: MIT */
/*
 * Measures what one run of the program costs, by the kernel's own measurement.
 *
 * This measurement itself costs about as much as the program. So each round also measures an empty
 * program, on the same kind of socket, driven in the same way by the same clients. The result is
 * the difference.
 *
 * Each run is for another client than the one before. With a single client, all that the program
 * reads would be in the processor's nearest cache.
 */
#ifndef STICKY_BENCH_COST_H
#define STICKY_BENCH_COST_H

#include <stdint.h>

#include "listening.h"
#include "loopback.h"
#include "program_stats.h"
#include "sample.h"

/* The events that make the program run. */
enum cost_drive {
	/*
	 * Whole connections. Between two runs the kernel does much else, and the caches are cold,
	 * as in a moderately busy server.
	 */
	DRIVE_CONNECTIONS,
	/* Packets back to back, see stray.h: the cost of the program alone, as in a SYN flood. */
	DRIVE_PACKETS,
	DRIVE_COUNT
};

extern const char *const cost_drive_names[DRIVE_COUNT];

/* Nanoseconds a run, one value for each round. `net` is the difference of the other two. */
struct cost_series {
	struct sample sticky, empty, net;
};

struct cost {
	/* The case to measure. */
	enum client_family family;
	uint32_t slots;
	struct listening_options options;
	/* The results. */
	struct cost_series series[DRIVE_COUNT];
	struct program_stats program;
};

struct cost_bench;

/*
 * Set up a library group, and a plain group with the empty program, for a case.
 * Returns 0 or -errno.
 */
int cost_open(struct cost *cost, struct cost_bench **ret_bench);

/* Measure one round: `runs` runs of each program, driven in each way. Returns 0 or -errno. */
int cost_round(struct cost_bench *bench, uint32_t runs);

/* Close both groups. NULL is allowed. */
void cost_close(struct cost_bench *bench);

#endif
