/* SPDX-License-Identifier: MIT */
/*
 * The plan of a rolling reload: which slot is next, how many workers start at once, when the reload
 * is over. Pure: rolling_reload.c begins the workers, and reports what has become of them.
 */
#ifndef STICKY_POLICY_RELOAD_PLAN_H
#define STICKY_POLICY_RELOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error_text.h"
#include "sticky.h"

enum reload_state { RELOAD_IDLE, RELOAD_RUNNING, RELOAD_FAILED, RELOAD_STATE_COUNT };

/* All zero: no reload has run yet. */
struct reload {
	enum reload_state state;
	bool is_chosen[STICKY_SLOTS_LIMIT]; /* slots that are still to be reloaded */
	/* slots whose new worker has begun, and is not ready yet */
	bool is_running[STICKY_SLOTS_LIMIT];
	uint32_t of;		 /* number of slots of this reload */
	uint32_t done;		 /* number of them that have a ready new worker */
	uint32_t running;	 /* number of slots in is_running */
	uint32_t parallel;	 /* limit for `running` */
	bool failed;		 /* no further slot begins */
	struct error_text error; /* message about the last slot that failed; "": none */
};

/*
 * Begin a reload. No reload may be running. If no slot is chosen, the new one is over at once.
 *
 * chosen    `slots` elements: true for each slot that is to be reloaded
 * slots     at most STICKY_SLOTS_LIMIT
 * parallel  how many new workers may be starting at once, at least 1
 */
void reload_begin(struct reload *reload, const bool *chosen, uint32_t slots, uint32_t parallel);

/*
 * Returns the next slot whose new worker is to begin now, or -1: none, or not yet.
 *
 * is_full  STICKY_SLOTS_LIMIT elements: true for each slot in which so many workers are draining
 *          that its new worker has to wait
 */
int reload_next(struct reload *reload, const bool *is_full);

/* Returns the first slot that can't begin because it is full, or -1: there is no such slot. */
int reload_waits_for(const struct reload *reload, const bool *is_full);

/* Note that the new worker of a slot is ready. Returns true if that ended the reload. */
bool reload_note_ready(struct reload *reload, uint32_t slot);

/*
 * Note that the new worker of a slot failed. No further slot begins.
 *
 * why  copied, for the reload's error
 *
 * Returns true if that ended the reload.
 */
bool reload_note_failed(struct reload *reload, uint32_t slot, const char *why);

/*
 * Take a slot that was removed or drained out of the reload. Returns true if that ended the reload.
 */
bool reload_drop(struct reload *reload, uint32_t slot);

/*
 * End the reload as failed, even while new workers are starting.
 *
 * why  copied, for the reload's error
 *
 * Returns true if the reload was running.
 */
bool reload_abandon(struct reload *reload, const char *why);

/* Returns "idle", "running" or "failed". */
const char *reload_state_name(enum reload_state state);

#endif
