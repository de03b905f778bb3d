// SPDX-License-Identifier: MIT
#include "scatter.h"

#include <math.h>

double scatter_chi_square(const uint32_t *counts, uint32_t workers)
{
	double clients = 0, sum = 0;
	uint32_t i;

	for (i = 0; i < workers; i++)
		clients += counts[i];
	for (i = 0; i < workers; i++) {
		double off = counts[i] - clients / workers;

		sum += off * off / (clients / workers);
	}
	return sum;
}

double scatter_max_min(const uint32_t *counts, uint32_t workers)
{
	uint32_t max = counts[0], min = counts[0], i;

	for (i = 1; i < workers; i++) {
		max = counts[i] > max ? counts[i] : max;
		min = counts[i] < min ? counts[i] : min;
	}
	return min ? (double)max / min : NAN;
}
