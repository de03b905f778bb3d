/* SPDX-License-Identifier: MIT */
/*
 * Limits how often a line is logged that strangers can cause. The first line is logged at once. The
 * next one follows after LOG_LIMIT_REST_MS at the earliest, and says how many were left out. Pure.
 */
#ifndef STICKY_COMMON_LOG_LIMIT_H
#define STICKY_COMMON_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_REST_MS 60000

/* All zero at the beginning. Any thread may use it: both members are changed atomically. */
struct log_limit {
	uint64_t next_ms; /* time from which on the next line may be logged; 0: at once */
	uint64_t left_out;
};

/*
 * Count an event.
 *
 * ret_left_out  number of events since the last line that were not logged; set if this one is to be
 *               logged, untouched otherwise
 *
 * Returns true if the event is to be logged.
 */
bool log_limit_allows(struct log_limit *limit, uint64_t now_ms, uint64_t *ret_left_out);

#endif
