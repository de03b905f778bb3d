/* SPDX-License-Identifier: MIT */
/*
 * When a slot's next worker is started after one has ended, when a slot has failed, and when a
 * worker is too old. Pure: time and random numbers are parameters.
 */
#ifndef STICKY_POLICY_RESTART_POLICY_H
#define STICKY_POLICY_RESTART_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Compute the delay before a slot's next worker begins.
 *
 * previous_ms    the delay before the worker that ended, in ms; 0: there was none
 * lifetime_ms    how long that worker lived, in ms
 * min_uptime_ms  a worker that lived for less than this, in ms, doubles the delay
 *
 * Returns the delay in ms: 100, or twice the previous one up to 30,000.
 */
uint32_t restart_delay_ms(uint32_t previous_ms, uint64_t lifetime_ms, uint64_t min_uptime_ms);

/* The number of deaths of a slot that are remembered for --restart-limit N/TIME. */
#define RESTART_DEATHS_MAX 64

/* The last deaths of a slot's workers. All zero: none. */
struct restart_deaths {
	uint64_t at_ms[RESTART_DEATHS_MAX]; /* a ring */
	uint32_t count;			    /* number of all deaths, ever */
};

/*
 * Note the death of a worker.
 *
 * now_ms     time of the death, in ms, of a clock that never goes back
 * limit      how many deaths are allowed, 1 to RESTART_DEATHS_MAX - 1; 0: any number
 * period_ms  the period for the limit, in ms
 *
 * Returns true if there were more than `limit` deaths within the last period_ms.
 */
bool restart_note_death(struct restart_deaths *deaths, uint64_t now_ms, uint32_t limit,
			uint64_t period_ms);

/*
 * Compute the age at which a worker is replaced: between 90% and 100% of the limit, so that workers
 * that began together do not end together.
 *
 * limit_ms  --max-lifetime, in ms
 * random    a random number, a different one for each worker
 *
 * Returns the age in ms.
 */
uint64_t restart_age_ms(uint64_t limit_ms, uint32_t random);

#endif
