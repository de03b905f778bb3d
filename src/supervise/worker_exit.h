/* SPDX-License-Identifier: MIT */
/* How a worker ends, and what follows for its slot. */
#ifndef STICKY_SUPERVISE_WORKER_EXIT_H
#define STICKY_SUPERVISE_WORKER_EXIT_H

#include <stdint.h>

#include "supervise/worker_backend.h"

struct supervised_slot;
struct worker;

/*
 * For the backend: nothing of a worker is left. This frees the worker and its handle.
 *
 * exit  how it ended
 */
void worker_exited(struct worker *worker, const struct run_exit *exit);

/*
 * Begin the slot's next worker after a delay, unless it is not to have one, or too many have died:
 * then the slot fails.
 *
 * lifetime_ms  how long the worker that ended has lived, in ms
 */
void slot_schedule_restart(struct supervised_slot *slot, uint64_t lifetime_ms);

#endif
