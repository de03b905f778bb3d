/* SPDX-License-Identifier: MIT */
/*
 * Finds out whether the kernel has killed processes because memory was short. The kernel counts
 * these kills for a cgroup, and does not name the processes. So a process that is killed by SIGKILL
 * soon after the number has risen is taken for one of them.
 */
#ifndef STICKY_PROCFS_OOM_KILLS_H
#define STICKY_PROCFS_OOM_KILLS_H

#include <stdbool.h>
#include <stdint.h>

struct oom_kills {
	uint64_t count;	  /* number of kills in this process's cgroup, at the last look */
	uint64_t seen_ms; /* time at which the number was seen to have risen; 0: never */
};

/* Begin to watch. */
void oom_kills_begin(struct oom_kills *kills);

/*
 * Read the number of kills. Returns whether it has risen in the last two seconds.
 *
 * now_ms  of common/clock.h
 */
bool oom_kills_look(struct oom_kills *kills, uint64_t now_ms);

#endif
