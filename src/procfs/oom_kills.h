/* SPDX-License-Identifier: MIT */
/*
 * Has the kernel killed processes because memory was short? It says so of a cgroup, and not of a
 * process: who was killed by SIGKILL soon after the number has risen, is taken for one of them.
 */
#ifndef STICKY_PROCFS_OOM_KILLS_H
#define STICKY_PROCFS_OOM_KILLS_H

#include <stdbool.h>
#include <stdint.h>

struct oom_kills {
	uint64_t count;	  /* of this process's cgroup, when it was read last */
	uint64_t seen_ms; /* when it was seen to have risen; 0: never */
};

/* Begin to watch. */
void oom_kills_begin(struct oom_kills *kills);

/*
 * Read the number, and return whether it has risen in the last two seconds.
 *
 * now_ms  of common/clock.h
 */
bool oom_kills_look(struct oom_kills *kills, uint64_t now_ms);

#endif
