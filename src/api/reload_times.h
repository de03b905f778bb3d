/* SPDX-License-Identifier: MIT */
/* Counts the reloads since this program began, and measures how long they took. */
#ifndef STICKY_API_RELOAD_TIMES_H
#define STICKY_API_RELOAD_TIMES_H

#include <stdint.h>

#include "common/histogram.h"
#include "common/journal.h"

struct reload_times;

/* The reloads that have ended. `durations` has as many entries as both numbers together. */
struct reload_totals {
	uint64_t succeeded;
	uint64_t failed;
	struct histogram durations;
};

/*
 * Follow the journal's events "reload_begun" and "reload_ended".
 *
 * journal  must outlive ret_times
 *
 * Returns 0 or -ENOMEM.
 */
int reload_times_open(struct journal *journal, struct reload_times **ret_times);

/* Returns the totals, which are valid until reload_times_close(). */
const struct reload_totals *reload_times_totals(const struct reload_times *times);

/* Stop following the journal. NULL is allowed. */
void reload_times_close(struct reload_times *times);

#endif
