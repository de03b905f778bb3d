// SPDX-License-Identifier: MIT
#include "sample.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sample_add(struct sample *sample, double value)
{
	assert(sample->count < SAMPLES_MAX);
	sample->values[sample->count++] = value;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The value at a share of the sorted ones; between two neighbours, in proportion. */
static double quantile(const double *sorted, unsigned int count, double share)
{
	double place = share * (count - 1);
	unsigned int below = (unsigned int)place;
	unsigned int above = below + 1 < count ? below + 1 : below;

	return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

struct summary sample_summarize(const struct sample *sample)
{
	double sorted[SAMPLES_MAX];
	unsigned int count = sample->count;

	assert(count);
	memcpy(sorted, sample->values, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare);
	return (struct summary){
		.median = quantile(sorted, count, 0.5),
		.low = quantile(sorted, count, 0.25),
		.high = quantile(sorted, count, 0.75),
		.min = sorted[0],
		.max = sorted[count - 1],
	};
}
