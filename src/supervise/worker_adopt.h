/* SPDX-License-Identifier: MIT */
/* Slots and workers that a previous controller left. */
#ifndef STICKY_SUPERVISE_WORKER_ADOPT_H
#define STICKY_SUPERVISE_WORKER_ADOPT_H

#include <stdint.h>

#include "state/state_file.h"
#include "sticky.h"

struct supervisor;

/*
 * A worker that a previous controller started, and the descriptors that were fetched from its
 * process.
 */
struct adopted_worker {
	struct worker_record record;
	int pidfd;
	int fds[STICKY_LISTENERS_LIMIT]; /* its listening sockets, if it is READY; else -1 */
	int private_fd;			 /* the socket of its slot's own address; -1: none */
};

/* Take over a slot's history, before supervisor_start(). slot: less than supervisor_slots(). */
void supervised_slot_adopt(struct supervisor *supervisor, uint32_t slot,
			   const struct slot_record *record);

/*
 * Take over a worker that is READY or DRAINING, before supervisor_start().
 *
 * adopted  its descriptors that are taken over are set to -1
 *
 * Returns 0, or -errno: the worker can't be taken over, and its process is left alone.
 */
int worker_adopt(struct supervisor *supervisor, struct adopted_worker *adopted);

/*
 * Note a recorded worker that ended while no controller was alive. If another process still has its
 * listening sockets open, they are shut down: see kept_sockets.h.
 */
void worker_adopt_dead(struct supervisor *supervisor, const struct worker_record *record);

#endif
