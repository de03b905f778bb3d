/* SPDX-License-Identifier: MIT */
/*
 * A rolling reload: which slot is next, how many at once, when it is over. Pure; the
 * supervisor begins the lives, and tells what became of them.
 */
#ifndef STICKY_SUPERVISE_RELOAD_PLAN_H
#define STICKY_SUPERVISE_RELOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "sticky.h"

enum reload_state { RELOAD_IDLE, RELOAD_RUNNING, RELOAD_FAILED, RELOAD_STATE_COUNT };

#define RELOAD_ERROR_SIZE 512

struct reload {
	enum reload_state state;
	bool is_chosen[STICKY_SLOTS_LIMIT];  /* still to be done */
	bool is_running[STICKY_SLOTS_LIMIT]; /* its new life has begun */
	uint32_t of;			     /* slots of this reload */
	uint32_t done;			     /* their new life is ready */
	uint32_t running;
	uint32_t parallel;
	bool failed;
	char error[RELOAD_ERROR_SIZE]; /* of the last one that failed; "" */
};

/*
 * Begin.
 *
 * chosen    `slots` elements: which ones
 * parallel  how many new lives may be starting at once, at least 1
 *
 * It must not be running. With nobody chosen it is over at once.
 */
void reload_begin(struct reload *reload, const bool *chosen, uint32_t slots, uint32_t parallel);

/* The next slot whose new life is to begin now, or -1: none, or not yet. */
int reload_next(struct reload *reload);

/* The new life of a slot is ready. Returns true where that ended the reload. */
bool reload_note_ready(struct reload *reload, uint32_t slot);

/* It failed: no further slot is begun. Returns true where that ended the reload. */
bool reload_note_failed(struct reload *reload, uint32_t slot, const char *why);

/* It is not to be done any more (the slot was removed, drained; everything stops). Same. */
bool reload_drop(struct reload *reload, uint32_t slot);

/* It ends here, as failed, whatever was begun. Returns true where it was running. */
bool reload_abandon(struct reload *reload, const char *why);

/* "idle", "running", "failed" */
const char *reload_state_name(enum reload_state state);

#endif
