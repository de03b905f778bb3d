/* SPDX-License-Identifier: MIT */
/* A worker, as its backend and the Node.js channel see it. */
#ifndef STICKY_SUPERVISE_WORKER_H
#define STICKY_SUPERVISE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "sticky.h"

struct worker;

/* Returns the index of its slot. */
uint32_t worker_slot(const struct worker *worker);

/* Returns its generation: 1 for the first worker of its slot, and one more for each further one. */
uint64_t worker_generation(const struct worker *worker);

/* Returns true if its slot has another worker, too, in any state. */
bool worker_has_company(const struct worker *worker);

/*
 * Returns its listening sockets. NULL: it has left its slot, and the controller has closed its
 * duplicates.
 */
struct sticky_worker *worker_sockets(const struct worker *worker);

/* Returns true if the whole instance stops. */
bool worker_is_in_stop(const struct worker *worker);

/* Returns true if it is READY, and has its slot. */
bool worker_is_ready(const struct worker *worker);

/*
 * Returns true if it has not been ready yet, or not for --min-uptime since its start, and was not
 * asked to stop.
 */
bool worker_has_just_begun(const struct worker *worker);

/*
 * Note which listening sockets its process has, a bit for each listener. A controller that takes
 * over looks for these. A process has all of them unless this was called.
 */
void worker_note_held(struct worker *worker, uint32_t held);

/*
 * Note listeners on which the worker does not listen for now, a bit each. Their clients are sent to
 * other workers: the worker is not taken for hung because of connections that wait there. By
 * default there are none.
 */
void worker_excuse(struct worker *worker, uint32_t listeners);

/* Returns true if another worker, which is READY, has its slot. */
bool worker_is_superseded(const struct worker *worker);

/* Returns the socket of its slot's own address (--slot-listen); -1: there is none. */
int worker_private_fd(const struct worker *worker);

/*
 * Returns true if an adopted worker was given the socket of its slot's own address at its start.
 * Its other descriptors then have numbers that are one higher.
 */
bool worker_began_with_private(const struct worker *worker);

/* Returns the format of a Node.js worker's messages, an enum node_serialization. */
uint32_t worker_serialization(const struct worker *worker);

/*
 * Returns the place at which a child writes its pid before it runs the worker's program; NULL: the
 * worker has no record in the state file. The place is in memory that the child shares with the
 * controller. If the controller is killed before fork() returns, the next controller finds the
 * process by this pid.
 */
int32_t *worker_noted_pid(struct worker *worker);

#endif
