/* SPDX-License-Identifier: MIT */
/* Writes the lines of a metrics text: families with their help and type, and samples. Pure. */
#ifndef STICKY_API_METRICS_TEXT_H
#define STICKY_API_METRICS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "api/metrics.h"

enum family_type { FAMILY_GAUGE, FAMILY_COUNTER, FAMILY_HISTOGRAM, FAMILY_TYPE_COUNT };

/* A metric family. The name is without "stickyctl_" and without the "_total" of a counter. */
struct family {
	const char *name;
	enum family_type type;
	const char *unit; /* the end of the name; NULL: none */
	const char *help;
};

struct metrics_text {
	FILE *out;
	enum metrics_format format;
};

/* A label of a sample, {name="value"}. A name that is NULL stands for no label. */
struct label {
	const char *name;
	const char *value; /* any bytes; escaped here */
};

#define METRICS_LABELS_MAX 2

/* Write a family's head: its help, type and unit. */
void metrics_family(const struct metrics_text *text, const struct family *family);

/*
 * Write one sample.
 *
 * labels  METRICS_LABELS_MAX elements, or NULL
 */
void metrics_sample(const struct metrics_text *text, const struct family *family,
		    const struct label *labels, uint64_t value);

/* The same for a time, which is written in seconds. */
void metrics_sample_ms(const struct metrics_text *text, const struct family *family,
		       const struct label *labels, uint64_t value_ms);

/* Write a family of one histogram, with its head. */
void metrics_histogram(const struct metrics_text *text, const struct family *family,
		       const struct histogram *histogram);

#endif
