/* SPDX-License-Identifier: MIT */
/*
 * Gives a worker its slot and takes it away: events of the state machine, and the actions that
 * follow.
 */
#ifndef STICKY_SUPERVISE_SLOT_HANDOVER_H
#define STICKY_SUPERVISE_SLOT_HANDOVER_H

#include <stdint.h>

#include "policy/worker_fsm.h"

struct supervisor;
struct worker;

/*
 * Step a worker through the table of worker_fsm.h, and do the actions that follow. All changes of a
 * worker's state begin here, except for the first one of an adopted worker.
 */
void worker_apply(struct worker *worker, enum worker_event event);

/*
 * Give a STARTING worker its slot, as it has announced that it is ready. If the slot can't be given
 * to it, the worker is killed. Does nothing in any other state. Does nothing either if the worker
 * is being killed, as its announcement may have been on the way.
 */
void worker_become_ready(struct worker *worker);

/*
 * Answer the clients of a slot from now on by an error response when they have waited for too long
 * (hold_timeout.h). Does nothing if the instance stops. A failure is logged.
 */
void supervised_slot_hold(struct supervisor *supervisor, uint32_t slot);

/*
 * Apply the table, then close the sockets of workers that have waited for this (--when-down=spill).
 * A failure is logged.
 */
void slot_handover_apply_table(struct supervisor *supervisor);

/*
 * Let a worker serve a listener, or not: see sticky_worker_serve(). The worker must have sockets:
 * worker_sockets(). Returns 0, or -errno: nothing has changed.
 */
int worker_serve(struct worker *worker, uint32_t listener, bool serves);

/*
 * Set the limit of the worker's queues to --backlog. The worker's own listen() has set its
 * program's limit (511 in Node.js). A queue with that limit fills up while the worker does not run
 * for a moment.
 */
void worker_restore_backlog(const struct worker *worker);

/*
 * Start or stop watching a worker that has its slot: whether a listening socket of it is shut down,
 * and whether it accepts the connections that wait.
 */
void worker_watch_sockets(struct worker *worker, bool watch);

/*
 * Stop watching until worker_watch_sockets() is called again, as sockets are about to be opened or
 * closed. A worker that is hung stays so.
 */
void worker_pause_watch(struct worker *worker);

/* Replace the worker `who`, as a listening socket of it has ended. To be given to hangup_open(). */
void worker_on_hangup(void *who);

#endif
