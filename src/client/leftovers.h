/* SPDX-License-Identifier: MIT */
/*
 * Workers that go on serving after their controller was killed. The state file that the controller
 * left names them, with their start times, so that no other process is mistaken for one of them.
 */
#ifndef STICKY_CLIENT_LEFTOVERS_H
#define STICKY_CLIENT_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/*
 * Returns how many workers live on in the instance of a run directory that has no controller. The
 * directory must belong to this user: 0 for others, and if there is a controller.
 */
uint32_t leftovers_count(const char *directory);

/*
 * If the instance has no controller, but workers that live on, say so on stderr, with their pids
 * and what to do. Returns false, and writes nothing, if there are no such workers.
 */
bool leftovers_tell(const struct config *config);

/*
 * End such workers: ask them to stop, kill those that have not ended after the instance's
 * --hard-shutdown-delay, shut down their listening sockets that another process has inherited, and
 * remove what the controller left in the run directory and in bpffs.
 *
 * now       kill them at once
 * ret_code  an exit code: EXIT_DONE; EXIT_PARTLY if a worker had to be killed after the delay, or
 * if a process that can't be reached keeps an address; or another, with a message on stderr
 *
 * Returns false, and does nothing, if there is a controller, or if there are neither such workers
 * nor such sockets of workers that have ended.
 */
bool leftovers_stop(const struct config *config, bool now, int *ret_code);

#endif
