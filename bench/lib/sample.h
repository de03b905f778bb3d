/* SPDX-License-Identifier: MIT */
/* The values of several rounds of one measurement. Pure. */
#ifndef STICKY_BENCH_SAMPLE_H
#define STICKY_BENCH_SAMPLE_H

#define SAMPLES_MAX 256

struct sample {
	unsigned int count;
	double values[SAMPLES_MAX]; /* in the order in which they were measured */
};

/* Add a value. More than SAMPLES_MAX values fail an assertion. */
void sample_add(struct sample *sample, double value);

#endif
