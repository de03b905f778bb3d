/* SPDX-License-Identifier: MIT */
/* The number of CPUs that this process may use: the default for the number of workers. */
#ifndef STICKY_PROCFS_CPU_COUNT_H
#define STICKY_PROCFS_CPU_COUNT_H

#include <stdint.h>

/*
 * Returns the number of CPUs in the process's affinity mask, at least 1. The cpu.max of the
 * process's cgroup, and of the cgroups above it, limits this number (rounded up).
 */
uint32_t cpus_usable(void);

#endif
