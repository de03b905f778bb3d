/* SPDX-License-Identifier: MIT */
/* How a worker begins: its sockets, its channel, its process. */
#ifndef STICKY_SUPERVISE_WORKER_START_H
#define STICKY_SUPERVISE_WORKER_START_H

#include <stdint.h>

struct supervised_slot;
struct supervisor;
struct worker;

/*
 * Make a new slot, enabled and without a worker; or enable a removed slot again.
 *
 * index  less than STICKY_SLOTS_LIMIT
 *
 * Returns 0 or -ENOMEM.
 */
int supervised_slot_add(struct supervisor *supervisor, uint32_t index);

/* Start a slot's worker at once, if the slot is to have one and has none. */
void slot_fill(struct supervised_slot *slot);

/*
 * Start a worker: the slot's current one, or its next one if there is a current one. A worker that
 * can't be started is treated as one that ended at once.
 */
void worker_begin(struct supervised_slot *slot);

/*
 * Make a worker without a process and sockets.
 *
 * watchdog_ms  --watchdog as the worker knows it, in ms; 0: none
 *
 * Returns NULL if memory is short. worker_free() frees it.
 */
struct worker *worker_new(struct supervised_slot *slot, uint32_t watchdog_ms);

#endif
