/* SPDX-License-Identifier: MIT */
/*
 * Writes the state of the instance in the text formats of Prometheus and OpenMetrics. Pure: all
 * values come from the status document and the histograms.
 */
#ifndef STICKY_API_METRICS_H
#define STICKY_API_METRICS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "api/reload_times.h"
#include "common/histogram.h"

enum metrics_format {
	METRICS_PROMETHEUS,  /* text format 0.0.4 */
	METRICS_OPENMETRICS, /* OpenMetrics 1.0.0 */
	METRICS_FORMAT_COUNT
};

struct metrics_input {
	const json_t *status; /* status_of_instance() */
	const struct reload_totals *reloads;
	const struct histogram *waits; /* see delivery_waits(); NULL: nothing is accepted here */
	const struct histogram *holding_waits; /* see hold_timeout_waits() */
	/* numbers of connections that the controller has accepted, and that have not left it */
	uint32_t heads;	     /* their head is not complete */
	uint32_t waiting;    /* they wait for a worker */
	uint32_t on_the_way; /* they were sent to a worker, which has not accepted them yet */
};

/*
 * Returns the text, to be freed by the caller; NULL if out of memory. A value that is null in the
 * status has no line.
 */
char *metrics_render(const struct metrics_input *input, enum metrics_format format);

/* Returns the value of the header Content-Type for a format. */
const char *metrics_content_type(enum metrics_format format);

/* Returns the format that a client asks for by its header Accept; NULL: it has sent none. */
enum metrics_format metrics_choose_format(const char *accept);

#endif
