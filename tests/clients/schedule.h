/* SPDX-License-Identifier: MIT */
/*
 * When connections are due, and until when. All times are those of clock_now_ns(). Pure.
 *
 * Open loop (--rate): each connection has its own time, independent of those before it. No
 * connection waits for the answer of another one, so that a server that stalls does not get fewer
 * connections. If there is no place for a connection, it begins late, and its latency counts from
 * the time at which it was due. Closed loop: a connection is due whenever there is a place for it.
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
	/* schedule_refuse() was called: connections that are still due are not begun */
	bool is_closed;
	int64_t start_ns;
	int64_t stop_ns; /* no connection is due after this; INT64_MAX: until all are begun */
	int64_t deadline_ns;
	int64_t patience_ns; /* limit for the time from schedule_stop() to the deadline; 0: none */
};

struct schedule schedule_from(const struct options *options, int64_t start_ns);

/*
 * Returns when the next connection is due, if `begun` connections have begun so far. If that is not
 * later than now, the caller should begin it.
 */
int64_t schedule_next_ns(const struct schedule *schedule, uint64_t begun, int64_t now);

/*
 * Returns true if no connection is to be begun any more. After the stop there may still be
 * connections that were due before it: a turn of the loop takes a while, and connections become due
 * during it.
 */
bool schedule_is_over(const struct schedule *schedule, uint64_t begun, int64_t now);

/* End now, as if the duration were over. With a patience, the deadline becomes earlier. */
void schedule_stop(struct schedule *schedule, int64_t now);

/*
 * Report that there is no free place. Connections that are due wait for a place until the stop: if
 * the stop is over, they are not begun any more.
 */
void schedule_refuse(struct schedule *schedule, int64_t now);

/* Returns how many connections should have begun and have not. Call it when everything is over. */
uint64_t schedule_count_missed(const struct schedule *schedule, uint64_t begun);

#endif
