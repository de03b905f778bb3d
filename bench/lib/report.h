/* SPDX-License-Identifier: MIT */
/* The results, as a table for people and as JSON for whoever keeps them. */
#ifndef STICKY_BENCH_REPORT_H
#define STICKY_BENCH_REPORT_H

#include <stdint.h>

#include "cost.h"
#include "throughput.h"

struct report {
	const struct cost *costs;
	uint32_t cost_count;
	uint32_t cost_runs; /* of each round and case */
	const struct throughput *throughput;
	const struct throughput_options *options;
};

void report_print(const struct report *report);

/* Write the whole report, every single value in it. Returns 0 or -errno. */
int report_write_json(const struct report *report, const char *path);

#endif
