/* SPDX-License-Identifier: MIT */
/*
 * When connections are due, and until when. All times are those of clock_now_ns(). Pure.
 *
 * Open loop (--rate): each has its time, whatever became of those before it. Nothing waits for
 * an answer, so a server that stalls is not asked less, and is not measured less: one that
 * finds no place begins late, and its latency counts from its time. Otherwise one is due
 * whenever there is a place for it.
 */
#ifndef TESTS_CLIENTS_SCHEDULE_H
#define TESTS_CLIENTS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct schedule {
	double rate;	 /* as in the options */
	uint64_t wanted; /* UINT64_MAX: as many as fit in the duration */
	bool has_duration;
	bool is_closed; /* by schedule_refuse(): those that are still due are not begun */
	int64_t start_ns;
	int64_t stop_ns; /* nothing is due from here on; INT64_MAX: when all are begun */
	int64_t deadline_ns;
	int64_t patience_ns; /* from schedule_stop() to the deadline, at most; 0: no limit */
};

struct schedule schedule_from(const struct options *options, int64_t start_ns);

/* When the next one is due, after so many. Not later than now: it should be begun. */
int64_t schedule_next_ns(const struct schedule *schedule, uint64_t begun, int64_t now);

/*
 * Whether nothing is to be begun any more. After the stop that is not yet so while some that
 * were due before it are left: a turn of the loop takes a while, and in it some become due.
 */
bool schedule_is_over(const struct schedule *schedule, uint64_t begun, int64_t now);

/* Told to end now: as if the duration ended. The deadline may come earlier, by the patience. */
void schedule_stop(struct schedule *schedule, int64_t now);

/* There is no place. Those that are due wait for one until the stop, not longer. */
void schedule_refuse(struct schedule *schedule, int64_t now);

/* How many should have begun and did not, when everything is over. */
uint64_t schedule_count_missed(const struct schedule *schedule, uint64_t begun);

#endif
