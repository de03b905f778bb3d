// SPDX-License-Identifier: MIT
#include "api/metrics_text.h"

#include <inttypes.h>

#define PREFIX "stickyctl_"

static const char *const type_names[FAMILY_TYPE_COUNT] = {
	[FAMILY_GAUGE] = "gauge",
	[FAMILY_COUNTER] = "counter",
	[FAMILY_HISTOGRAM] = "histogram",
};

/*
 * Returns the end of the samples' names: "_total" for counters. In OpenMetrics the name of the
 * family does not have it.
 */
static const char *sample_suffix(const struct family *family)
{
	return family->type == FAMILY_COUNTER ? "_total" : "";
}

void metrics_family(const struct metrics_text *text, const struct family *family)
{
	const char *suffix = text->format == METRICS_PROMETHEUS ? sample_suffix(family) : "";

	fprintf(text->out, "# HELP " PREFIX "%s%s %s\n", family->name, suffix, family->help);
	fprintf(text->out, "# TYPE " PREFIX "%s%s %s\n", family->name, suffix,
		type_names[family->type]);
	if (family->unit && text->format == METRICS_OPENMETRICS)
		fprintf(text->out, "# UNIT " PREFIX "%s %s\n", family->name, family->unit);
}

static void write_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
}

static void write_labels(FILE *out, const struct label *labels)
{
	int i;

	if (!labels || !labels[0].name)
		return;
	for (i = 0; i < METRICS_LABELS_MAX && labels[i].name; i++) {
		fprintf(out, "%c%s=\"", i ? ',' : '{', labels[i].name);
		write_value(out, labels[i].value);
		fputc('"', out);
	}
	fputc('}', out);
}

static void begin_sample(const struct metrics_text *text, const struct family *family,
			 const struct label *labels)
{
	fprintf(text->out, PREFIX "%s%s", family->name, sample_suffix(family));
	write_labels(text->out, labels);
}

void metrics_sample(const struct metrics_text *text, const struct family *family,
		    const struct label *labels, uint64_t value)
{
	begin_sample(text, family, labels);
	fprintf(text->out, " %" PRIu64 "\n", value);
}

static void write_seconds(FILE *out, uint64_t value_ms)
{
	fprintf(out, "%" PRIu64 ".%03u", value_ms / 1000, (unsigned int)(value_ms % 1000));
}

void metrics_sample_ms(const struct metrics_text *text, const struct family *family,
		       const struct label *labels, uint64_t value_ms)
{
	begin_sample(text, family, labels);
	fputc(' ', text->out);
	write_seconds(text->out, value_ms);
	fputc('\n', text->out);
}

/* Write a bound in the form that OpenMetrics wants: 0.005, 0.25, 10.0. */
static void write_bound(FILE *out, uint64_t bound_ms)
{
	unsigned int seconds = (unsigned int)(bound_ms / 1000);
	unsigned int thousandths = (unsigned int)(bound_ms % 1000);

	if (thousandths % 100 == 0)
		fprintf(out, "%u.%u", seconds, thousandths / 100);
	else if (thousandths % 10 == 0)
		fprintf(out, "%u.%02u", seconds, thousandths / 10);
	else
		fprintf(out, "%u.%03u", seconds, thousandths);
}

void metrics_histogram(const struct metrics_text *text, const struct family *family,
		       const struct histogram *histogram)
{
	uint64_t count = 0;
	size_t i;

	metrics_family(text, family);
	for (i = 0; i < HISTOGRAM_BOUNDS; i++) {
		count += histogram->counts[i];
		fprintf(text->out, PREFIX "%s_bucket{le=\"", family->name);
		write_bound(text->out, histogram_bound_ms(i));
		fprintf(text->out, "\"} %" PRIu64 "\n", count);
	}
	count += histogram->counts[HISTOGRAM_BOUNDS];
	fprintf(text->out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", family->name, count);
	fprintf(text->out, PREFIX "%s_sum ", family->name);
	write_seconds(text->out, histogram->sum_ms);
	fprintf(text->out, "\n" PREFIX "%s_count %" PRIu64 "\n", family->name, count);
}
