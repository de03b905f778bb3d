/* SPDX-License-Identifier: MIT */
/*
 * Reloads, slot by slot: for a user, after a takeover, and to replace workers that are too old or
 * too large. One reload runs at a time (reload_plan.h). The journal reports its progress.
 */
#ifndef STICKY_SUPERVISE_ROLLING_RELOAD_H
#define STICKY_SUPERVISE_ROLLING_RELOAD_H

#include <stdint.h>

#include "policy/reload_plan.h"
#include "supervise/worker_backend.h"

struct supervised_slot;
struct supervisor;
struct worker;

/*
 * Begin a reload of all slots that are enabled or failed.
 *
 * Returns 0 (it has begun), 1 (it begins when the running one is over), or -EBUSY (the instance
 * stops).
 */
int rolling_reload_begin(struct supervisor *supervisor);

/* Returns the number of the reload that runs, or ran last: 1, 2, ... 0: there was none yet. */
uint32_t rolling_reload_id(const struct supervisor *supervisor);

/* Returns the state of the reload that runs, or ran last. */
const struct reload *rolling_reload_view(const struct supervisor *supervisor);

/*
 * Returns the slot that the reload waits for, because --max-draining workers are draining there;
 * -1: it waits for none.
 */
int rolling_reload_waits_for(const struct supervisor *supervisor);

/* ---- For the other files of supervise/ -------------------------------------------- */

/* Begin the workers that may begin now. When a reload is over, begin the next one. */
void rolling_reload_drive(struct supervisor *supervisor);

/* Start workers, by a reload, in the slots that have none. This is called after a takeover. */
void rolling_reload_fill(struct supervisor *supervisor);

/*
 * Replace a slot's worker by a reload of that slot.
 *
 * why  reason for the journal and the status: a text that stays valid
 */
void rolling_reload_recycle(struct supervised_slot *slot, const char *why);

/* Take a slot out of the reload. */
void rolling_reload_drop(struct supervised_slot *slot);

/* End the reload that runs, and the one that waits, as the instance stops. */
void rolling_reload_abandon(struct supervisor *supervisor);

/* Note that the slot's new worker is ready. */
void rolling_reload_note_ready(struct supervised_slot *slot);

/* Note that the slot's new worker ended before it was ready. */
void rolling_reload_note_failed(struct supervised_slot *slot, const struct worker *worker,
				const struct run_exit *how);

/*
 * Note that a worker has ended. If it was the last one that a reload replaced, the journal reports
 * that.
 */
void rolling_reload_note_gone(struct supervisor *supervisor);

#endif
