/* SPDX-License-Identifier: MIT */
/* How an instance ends: on request, or because no worker became ready. */
#ifndef STICKY_SUPERVISE_SHUTDOWN_H
#define STICKY_SUPERVISE_SHUTDOWN_H

#include <stdbool.h>

#include "supervise/worker_backend.h"

struct supervisor;
struct worker;

/*
 * Ask all workers to stop, and kill them after the hard-shutdown delay. When none is left,
 * finished() of the options is called, perhaps before this function returns.
 *
 * now  kill them at once; allowed after a first call without `now`
 */
void shutdown_begin(struct supervisor *supervisor, bool now);

/* Returns true if shutdown_begin() was called, or the first start has failed. */
bool shutdown_has_begun(const struct supervisor *supervisor);

/* ---- For the other files of supervise/ -------------------------------------------- */

/*
 * Write to stderr why the first start failed, and stop. To be called when the first workers of all
 * slots ended and none was ready.
 *
 * worker  the last one
 * how     how it ended
 */
void shutdown_fail_start(struct supervisor *supervisor, const struct worker *worker,
			 const struct run_exit *how);

/* Call finished() of the options if the instance stops and no worker is left. It is called once. */
void shutdown_finish_if_empty(struct supervisor *supervisor);

#endif
