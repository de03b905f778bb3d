/* SPDX-License-Identifier: MIT */
/*
 * Compares the connections that wait in queues with those that waited there before, for workers
 * whose queue has not become shorter: see policy/hang_watch.h.
 */
#ifndef STICKY_SUPERVISE_HANG_LISTS_H
#define STICKY_SUPERVISE_HANG_LISTS_H

#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct worker;

/* Returns the worker of a slot if it is watched, else NULL. */
struct worker *hang_watched(const struct supervisor *supervisor, uint32_t slot);

/*
 * List the waiting connections if a worker needs it, and compare them with its previous list.
 *
 * has_failed  whether the last list could not be made, which is logged once; read and set
 */
void hang_lists_look(const struct supervisor *supervisor, uint64_t now_ms, bool *has_failed);

#endif
