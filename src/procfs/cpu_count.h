/* SPDX-License-Identifier: MIT */
/* How many workers make sense here. */
#ifndef STICKY_PROCFS_CPU_COUNT_H
#define STICKY_PROCFS_CPU_COUNT_H

#include <stdint.h>

/*
 * The CPUs that this process may use: the affinity mask, bounded by the cgroup's cpu.max,
 * its own and its ancestors', rounded up. At least 1.
 */
uint32_t cpus_usable(void);

#endif
