/* SPDX-License-Identifier: MIT */
/* How an instance ends: as asked, or as no worker got ready. */
#ifndef STICKY_SUPERVISE_SHUTDOWN_H
#define STICKY_SUPERVISE_SHUTDOWN_H

#include <stdbool.h>

#include "supervise/worker_backend.h"

struct supervisor;
struct worker;

/*
 * End all workers: politely, and by SIGKILL after the hard-shutdown delay. When none is left,
 * finished() of the options is called, perhaps before this returns.
 *
 * now  by SIGKILL at once; may follow a polite stop
 */
void shutdown_begin(struct supervisor *supervisor, bool now);

/* Returns true once shutdown_begin() was called, or the first start has failed. */
bool shutdown_has_begun(const struct supervisor *supervisor);

/* ---- For the other files of supervise/ -------------------------------------------- */

/*
 * The first workers of all slots ended, and none was ready: write why to stderr, and stop.
 *
 * worker  the last one
 * how     how it ended
 */
void shutdown_fail_start(struct supervisor *supervisor, const struct worker *worker,
			 const struct run_exit *how);

/* Call finished() of the options, where the instance stops and no worker is left. Once. */
void shutdown_finish_if_empty(struct supervisor *supervisor);

#endif
