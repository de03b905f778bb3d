/* SPDX-License-Identifier: MIT */
/* A histogram of durations. The bounds are fixed, from 5 ms to 10 minutes. Pure. */
#ifndef STICKY_COMMON_HISTOGRAM_H
#define STICKY_COMMON_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 14

struct histogram {
	/* the last element counts durations above the last bound */
	uint64_t counts[HISTOGRAM_BOUNDS + 1];
	uint64_t sum_ms;
};

/* Count one duration, in milliseconds. */
void histogram_add(struct histogram *histogram, uint64_t duration_ms);

/* Count a duration `count` times. */
void histogram_add_many(struct histogram *histogram, uint64_t duration_ms, uint64_t count);

/* Returns a bound in milliseconds, index 0 to HISTOGRAM_BOUNDS - 1; a bound includes its value. */
uint64_t histogram_bound_ms(size_t index);

#endif
