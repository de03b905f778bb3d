/* SPDX-License-Identifier: MIT */
/* How evenly clients are scattered over workers. Pure. */
#ifndef STICKY_BENCH_SCATTER_H
#define STICKY_BENCH_SCATTER_H

#include <stdint.h>

/*
 * Chi-square of counts against equal shares: about workers - 1, its degrees of freedom,
 * where clients are scattered by chance alone.
 */
double scatter_chi_square(const uint32_t *counts, uint32_t workers);

/* The most clients of a worker to the fewest; NAN where a worker has none. */
double scatter_max_min(const uint32_t *counts, uint32_t workers);

#endif
