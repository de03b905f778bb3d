/* SPDX-License-Identifier: MIT */
/* Measures how evenly clients are scattered over workers. Pure. */
#ifndef STICKY_BENCH_SCATTER_H
#define STICKY_BENCH_SCATTER_H

#include <stdint.h>

/*
 * Returns the chi-square of counts against equal shares. If clients are scattered by chance alone,
 * it is about workers - 1, its degrees of freedom.
 */
double scatter_chi_square(const uint32_t *counts, uint32_t workers);

/* Returns the ratio of the most clients of a worker to the fewest; NAN if a worker has none. */
double scatter_max_min(const uint32_t *counts, uint32_t workers);

#endif
