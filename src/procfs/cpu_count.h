/* SPDX-License-Identifier: MIT */
/* How many CPUs this process may use: the default for the number of workers. */
#ifndef STICKY_PROCFS_CPU_COUNT_H
#define STICKY_PROCFS_CPU_COUNT_H

#include <stdint.h>

/*
 * Returns the number of CPUs in the process's affinity mask, but not more than the cpu.max of its
 * cgroup, and of the cgroups above it, allows (rounded up). At least 1.
 */
uint32_t cpus_usable(void);

#endif
