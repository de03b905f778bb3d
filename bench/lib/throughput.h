/* SPDX-License-Identifier: MIT */
/*
 * Connections per second of the same C workers on plain SO_REUSEPORT sockets and on
 * libsticky's.
 *
 * Each worker is a thread that accepts, answers a line and closes; the load is a process
 * of its own, tests/peers/clients. As the machine's own noise is larger than the
 * difference, the two take turns, and processor time for each connection is kept too:
 * that of everybody, the kernel's part included.
 */
#ifndef STICKY_BENCH_THROUGHPUT_H
#define STICKY_BENCH_THROUGHPUT_H

#include <stdint.h>

#include "sample.h"

enum throughput_side { SIDE_PLAIN, SIDE_STICKY, SIDE_COUNT };

struct throughput_options {
	const char *clients; /* path of the load generator */
	uint32_t workers;
	uint32_t connections; /* of each measurement, one for each client address */
	uint32_t concurrency;
};

struct throughput {
	struct sample per_second[SIDE_COUNT];
	struct sample cpu_us[SIDE_COUNT]; /* a connection */
	struct sample ratio;		  /* per second, sticky / plain, of each pair */
	struct sample cpu_ratio;
};

/*
 * Measure both sides once and add the figures.
 *
 * first  the side whose turn comes first: alternate it
 *
 * Returns 0, or -errno: also where a connection failed, as then it is no measurement.
 */
int throughput_pair(const struct throughput_options *options, enum throughput_side first,
		    struct throughput *result);

#endif
