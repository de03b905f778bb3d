/* SPDX-License-Identifier: MIT */
/* A worker gets its slot and leaves it: events of the state machine, and the actions that follow.
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
 * Give a STARTING worker its slot, as it has announced that it is ready. If the slot refuses it, it
 * is killed. Does nothing in any other state, and nothing if the worker is being killed: its
 * announcement may have been on the way.
 */
void worker_become_ready(struct worker *worker);

/*
 * From now on a slot's clients get an error response when they have waited for too long
 * (hold_timeout.h). Does nothing if the instance stops. A failure is logged.
 */
void supervised_slot_hold(struct supervisor *supervisor, uint32_t slot);

/*
 * With --when-down=spill: apply the table, then close the sockets of workers that wait for that. A
 * failure is logged.
 */
void slot_handover_apply_table(struct supervisor *supervisor);

/*
 * Let a worker serve a listener, or not: see sticky_worker_serve(). The worker must have sockets:
 * worker_sockets(). Returns 0 or -errno, and nothing has changed.
 */
int worker_serve(struct worker *worker, uint32_t listener, bool serves);

/*
 * Set --backlog for the worker's queues. The worker's own listen() has set the limit of its program
 * (511 in Node.js), and such a queue fills up while the worker does not run for a moment.
 */
void worker_restore_backlog(const struct worker *worker);

/*
 * Begin or end to watch a worker that has its slot: its listening sockets for a hang-up, and
 * whether it accepts what waits for it.
 */
void worker_watch_sockets(struct worker *worker, bool watch);

/* For hangup_open(): a listening socket of the worker `who` has ended. The worker is replaced. */
void worker_on_hangup(void *who);

#endif
