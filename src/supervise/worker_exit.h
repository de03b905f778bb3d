/* SPDX-License-Identifier: MIT */
/* How a worker ends, and the consequences for its slot. */
#ifndef STICKY_SUPERVISE_WORKER_EXIT_H
#define STICKY_SUPERVISE_WORKER_EXIT_H

#include <stdint.h>

#include "supervise/worker_backend.h"

struct supervised_slot;
struct worker;

/*
 * Handle the complete end of a worker, and free the worker and its handle. Called by the backend.
 *
 * exit  how it ended
 */
void worker_exited(struct worker *worker, const struct run_exit *exit);

/*
 * Start the slot's next worker after a delay, unless the slot is not to have one. If too many
 * workers have died, the slot fails instead.
 *
 * lifetime_ms  how long the worker that ended has lived, in ms
 */
void slot_schedule_restart(struct supervised_slot *slot, uint64_t lifetime_ms);

#endif
