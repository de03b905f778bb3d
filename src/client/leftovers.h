/* SPDX-License-Identifier: MIT */
/*
 * Workers that go on serving after their controller was killed. The state file that the controller
 * left names them, with their start times, so that no other process is mistaken for one of them.
 */
#ifndef STICKY_CLIENT_LEFTOVERS_H
#define STICKY_CLIENT_LEFTOVERS_H

#include <stdbool.h>

#include "config/config.h"

/*
 * If the instance has no controller, but workers that live on, say so on stderr, with their pids
 * and what to do. Returns false, and writes nothing, if there are no such workers.
 */
bool leftovers_tell(const struct config *config);

/*
 * End such workers: ask them to stop, kill those that have not ended after the instance's
 * --hard-shutdown-delay, and remove what the controller left in the run directory and in bpffs.
 *
 * now       kill them at once
 * ret_code  an exit code: EXIT_DONE; EXIT_PARTLY if a worker had to be killed after the delay; or
 *           another, with a message on stderr
 *
 * Returns false, and does nothing, if there are no such workers, or if there is a controller.
 */
bool leftovers_stop(const struct config *config, bool now, int *ret_code);

#endif
