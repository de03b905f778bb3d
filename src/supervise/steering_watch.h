/* SPDX-License-Identifier: MIT */
/*
 * Notices that the program does not place the group's connections any more, and restores it. A
 * worker may have detached the program, or a foreign process may have attached its own.
 * sticky_group_check() is called every few seconds.
 */
#ifndef STICKY_SUPERVISE_STEERING_WATCH_H
#define STICKY_SUPERVISE_STEERING_WATCH_H

#include <stdint.h>

struct steering_watch;
struct supervisor;

/* Begin to watch. Returns 0 or -ENOMEM. steering_watch_close() ends it. */
int steering_watch_open(struct supervisor *supervisor, struct steering_watch **ret_watch);

/* Stop watching. NULL is allowed. */
void steering_watch_close(struct steering_watch *watch);

/*
 * A connection has arrived at the classic engine's spare socket, where it was reset. That may be
 * because the program is gone: check it now. NULL is allowed.
 */
void steering_watch_on_stray(struct steering_watch *watch);

/* Returns how often the program was found missing, and attached again. */
uint64_t steering_watch_restored(const struct steering_watch *watch);

#endif
