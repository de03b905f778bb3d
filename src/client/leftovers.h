/* SPDX-License-Identifier: MIT */
/*
 * Workers that serve on without a controller: it was killed. The state file that it left names
 * them, with their start times, so that no other process is taken for one of them.
 */
#ifndef STICKY_CLIENT_LEFTOVERS_H
#define STICKY_CLIENT_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/*
 * Returns how many workers live on in the instance of a run directory that has no controller. The
 * directory must be this user's: 0 for others, and where there is a controller.
 */
uint32_t leftovers_count(const char *directory);

/*
 * If the instance has no controller, and workers that live on, say so on stderr, with their pids
 * and what to do. Returns false where this is not so: nothing is written then.
 */
bool leftovers_tell(const struct config *config);

/*
 * End such workers: ask them to stop, kill those that have not ended after the instance's
 * --hard-shutdown-delay, shut down their listening sockets that another process has inherited, and
 * remove what the controller left in the run directory and in bpffs.
 *
 * now       kill them at once
 * ret_code  an exit code: EXIT_DONE; EXIT_PARTLY, where one had to be killed after the delay, or
 *           a process that can't be reached keeps an address; or another, with a message on stderr
 *
 * Returns false where there are no such workers, and no such sockets of workers that have died; or
 * where there is a controller. Nothing is done then.
 */
bool leftovers_stop(const struct config *config, bool now, int *ret_code);

#endif
