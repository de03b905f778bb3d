/* SPDX-License-Identifier: MIT */
/*
 * Reloads, slot by slot: as a user asks, after a take-over, and of workers that are too old or too
 * large. One runs at a time (reload_plan.h); the journal says how it goes on.
 */
#ifndef STICKY_SUPERVISE_ROLLING_RELOAD_H
#define STICKY_SUPERVISE_ROLLING_RELOAD_H

#include <stdint.h>

#include "supervise/reload_plan.h"
#include "supervise/worker_backend.h"

struct supervised_slot;
struct supervisor;
struct worker;

/*
 * Begin a reload of all slots that are enabled or failed.
 *
 * Returns 0: it has begun; 1: it begins when the one that runs is over; -EBUSY: the instance stops.
 */
int rolling_reload_begin(struct supervisor *supervisor);

/* Returns the number of the reload that runs, or ran last: 1, 2, ...; 0: none ever did. */
uint32_t rolling_reload_id(const struct supervisor *supervisor);

/* Returns how the reload that runs, or ran last, goes on. */
const struct reload *rolling_reload_view(const struct supervisor *supervisor);

/*
 * Returns the slot for which the reload that runs waits, since --max-draining workers are draining
 * there; -1: it waits for none.
 */
int rolling_reload_waits_for(const struct supervisor *supervisor);

/* ---- For the other files of supervise/ -------------------------------------------- */

/* Begin what may begin now; and when a reload is over, the next one. */
void rolling_reload_drive(struct supervisor *supervisor);

/* The slots without a worker get one by a reload: after a take-over. */
void rolling_reload_fill(struct supervisor *supervisor);

/*
 * Replace a slot's worker by a reload of that slot.
 *
 * why  for the journal
 */
void rolling_reload_recycle(struct supervised_slot *slot, const char *why);

/* A slot is not to be reloaded any more. */
void rolling_reload_drop(struct supervised_slot *slot);

/* The reload that runs, and the one that waits, end: the instance stops. */
void rolling_reload_abandon(struct supervisor *supervisor);

/* The slot's new worker is ready. */
void rolling_reload_note_ready(struct supervised_slot *slot);

/* The slot's new worker ended before it was ready. */
void rolling_reload_note_failed(struct supervised_slot *slot, const struct worker *worker,
				const struct run_exit *how);

/* A worker has ended. Where it was the last one that a reload replaced, the journal says so. */
void rolling_reload_note_gone(struct supervisor *supervisor);

#endif
