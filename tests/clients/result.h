/* SPDX-License-Identifier: MIT */
/* The result of a run: everything is counted, and printed as one JSON object. */
#ifndef TESTS_CLIENTS_RESULT_H
#define TESTS_CLIENTS_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answers.h"
#include "outcome.h"

struct result {
	/* The caller fills these in. */
	uint64_t begun;
	uint64_t not_begun;  /* connections that should have been begun */
	uint64_t mismatched; /* clients that were served by another slot than expected */
	double seconds;
	/*
	 * These are for the rate: the answers that came while connections were begun, and the
	 * length of that time.
	 */
	uint64_t answered_in_time;
	double begin_seconds;
	double cpu_seconds; /* of this process */

	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t unsticky;
	uint64_t backward;
	uint64_t per_slot[SLOTS_MAX];
	uint32_t *latencies_us; /* latencies of the answers */
	size_t latencies_room;
};

struct result result_empty(void);
void result_free(struct result *result);

/* Count a connection that has ended. latency_ns is counted from the time when it was due. */
void result_count(struct result *result, enum outcome outcome, int64_t latency_ns);

/* Count an answer by the slot that it names. */
void result_count_answer(struct result *result, uint32_t slot, enum stickiness stickiness);

/* Print the line on stdout. This sorts the latencies: nothing may be counted after it. */
void result_print(struct result *result);

/*
 * Returns true if all connections were begun and answered by the right slot, and there was at least
 * one.
 */
bool result_is_well(const struct result *result);

#endif
