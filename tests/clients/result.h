/* SPDX-License-Identifier: MIT */
/* What a run has come to: everything is counted, and printed as one JSON object. */
#ifndef TESTS_CLIENTS_RESULT_H
#define TESTS_CLIENTS_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "outcome.h"

struct result {
	/* The caller's to fill in. */
	uint64_t begun;
	uint64_t not_begun;  /* though they should have */
	uint64_t mismatched; /* clients with another slot than was expected */
	double seconds;
	/* What the rate is of: those answered while connections were begun, and for how long. */
	uint64_t answered_in_time;
	double begin_seconds;
	double cpu_seconds; /* of this process */

	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t unsticky;
	uint64_t backward;
	uint64_t per_slot[SLOTS_MAX];
	uint32_t *latencies_us; /* of the answered ones */
	size_t latencies_room;
};

struct result result_empty(void);
void result_free(struct result *result);

/* A connection has ended. latency_ns: from when it was due. */
void result_count(struct result *result, enum outcome outcome, int64_t latency_ns);

/* What its answer said. */
void result_count_answer(struct result *result, uint32_t slot, enum stickiness stickiness);

/* The line on stdout. Sorts the latencies: nothing is to be counted after it. */
void result_print(struct result *result);

/* All were begun, answered by the right one, and there were any. */
bool result_is_well(const struct result *result);

#endif
