/* SPDX-License-Identifier: MIT */
/*
 * The supervisor keeps a worker in each slot. Its operations are declared in the headers of the
 * files that implement them: rolling_reload.h, slot_commands.h, shutdown.h, worker_adopt.h,
 * slot_view.h.
 */
#ifndef STICKY_SUPERVISE_SUPERVISOR_H
#define STICKY_SUPERVISE_SUPERVISOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"
#include "supervise/supervisor_options.h"

/*
 * Open a supervisor, with an empty slot for each slot of the group.
 *
 * options  copied; the objects that they point to must outlive the supervisor
 *
 * Returns 0 or -errno.
 */
int supervisor_open(const struct supervisor_options *options, struct supervisor **ret_supervisor);

/* Close a supervisor. All workers must have ended. NULL is allowed. */
void supervisor_close(struct supervisor *supervisor);

/*
 * Use other times and modes from now on. The configuration stays the caller's, and is used until
 * another one is set.
 */
void supervisor_set_config(struct supervisor *supervisor, const struct config *config);

/*
 * Open the sockets of the slots' own addresses (--slot-listen), except those that were taken over.
 *
 * ret_error  what is wrong, and what the user can do
 *
 * Returns 0 or -errno.
 */
int supervisor_open_slot_sockets(struct supervisor *supervisor, struct error_text *ret_error);

/* Watch the sockets of a listener that was added, and record them in the state file. */
void supervisor_listeners_changed(struct supervisor *supervisor);

/* Begin a worker in each slot that has none. */
void supervisor_start(struct supervisor *supervisor);

/* Returns true if every slot has been ready at least once. */
bool supervisor_has_started(const struct supervisor *supervisor);

/* Returns true if the supervisor has taken over workers of a previous controller. */
bool supervisor_took_over(const struct supervisor *supervisor);

/*
 * Returns how often the program was found not to place connections any more, and was attached
 * again, since the supervisor was opened.
 */
uint64_t supervisor_steering_restored(const struct supervisor *supervisor);

/* Returns how long connections have waited in holding sockets: see hold_timeout_waits(). */
const struct histogram *supervisor_holding_waits(const struct supervisor *supervisor);

/*
 * Returns the foreign listening sockets that the last look found at our ports, for the status
 * document: a list, the caller's.
 */
json_t *supervisor_foreign_listeners(const struct supervisor *supervisor);

/* Returns the number of slots. */
uint32_t supervisor_slots(const struct supervisor *supervisor);

/*
 * Check that this process may be replaced by a newer version now. It may not while the instance
 * stops or reloads, a slot has no ready worker, or a new worker is starting: connections that wait
 * in this process would be lost.
 *
 * ret_error  the reason; set only on -EBUSY
 *
 * Returns 0 or -EBUSY.
 */
int supervisor_may_leave(const struct supervisor *supervisor, struct error_text *ret_error);

#endif
