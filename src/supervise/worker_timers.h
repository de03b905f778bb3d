/* SPDX-License-Identifier: MIT */
/* A worker's timers: until it is ready, its deadline, its watchdog, its lifetime. */
#ifndef STICKY_SUPERVISE_WORKER_TIMERS_H
#define STICKY_SUPERVISE_WORKER_TIMERS_H

struct worker;

/*
 * Make the timers of a worker that is new; the lifetime's runs from now on. worker_free() frees
 * them.
 *
 * Returns 0 or -ENOMEM, with some of them made.
 */
int worker_make_timers(struct worker *worker);

/*
 * Start the timer by which a STARTING worker must be ready, or is taken for ready where it says
 * nothing: see --ready. To be repeated when the worker has said something.
 */
void worker_start_ready_timer(struct worker *worker);

/* The worker has been asked to stop: it is killed after the hard-shutdown delay. */
void worker_start_deadline(struct worker *worker);

#endif
