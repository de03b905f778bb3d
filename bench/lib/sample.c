// SPDX-License-Identifier: MIT
#include "sample.h"

#include <assert.h>

void sample_add(struct sample *sample, double value)
{
	assert(sample->count < SAMPLES_MAX);
	sample->values[sample->count++] = value;
}
