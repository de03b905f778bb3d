/* SPDX-License-Identifier: MIT */
/* The timers of a worker: for its readiness, its deadline, its watchdog and its lifetime. */
#ifndef STICKY_SUPERVISE_WORKER_TIMERS_H
#define STICKY_SUPERVISE_WORKER_TIMERS_H

struct worker;

/*
 * Make the timers of a new worker, and start the one for its lifetime. worker_free() frees them.
 *
 * Returns 0, or -ENOMEM with some of them made.
 */
int worker_make_timers(struct worker *worker);

/*
 * Start the timer by which a STARTING worker must be ready, or counts as ready if it sends nothing:
 * see --ready. This must be called again when the worker has sent something.
 */
void worker_start_ready_timer(struct worker *worker);

/*
 * Start the hard-shutdown delay of a worker that was asked to stop. After it the worker is killed.
 */
void worker_start_deadline(struct worker *worker);

/*
 * Start the time in which a READY worker must send WATCHDOG=1, or start it anew. A worker without a
 * watchdog is allowed. As long as no worker of the instance has sent one, the end of the time has
 * no consequence but one message: the workers are of a kind that never does.
 */
void worker_start_watchdog(struct worker *worker);

/* Note that a worker has sent WATCHDOG=1. */
void worker_note_alive(struct worker *worker);

#endif
