// SPDX-License-Identifier: MIT
#include "common/histogram.h"

#include <assert.h>

static const uint64_t bounds_ms[HISTOGRAM_BOUNDS] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 600000,
};

void histogram_add(struct histogram *histogram, uint64_t duration_ms)
{
	histogram_add_many(histogram, duration_ms, 1);
}

void histogram_add_many(struct histogram *histogram, uint64_t duration_ms, uint64_t count)
{
	size_t i = 0;

	while (i < HISTOGRAM_BOUNDS && duration_ms > bounds_ms[i])
		i++;
	histogram->counts[i] += count;
	histogram->sum_ms += duration_ms * count;
}

uint64_t histogram_bound_ms(size_t index)
{
	assert(index < HISTOGRAM_BOUNDS);
	return bounds_ms[index];
}
