/* SPDX-License-Identifier: MIT */
/* The resources that process groups use, from /proc. */
#ifndef STICKY_PROCFS_USAGE_H
#define STICKY_PROCFS_USAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "procfs/run_usage.h"

/*
 * Measure process groups: memory and CPU time of all their processes, and the number of their
 * accepted TCP connections. A connection that several processes have open counts once. Costs one
 * walk through /proc for all groups. A value that can't be read stays 0.
 *
 * groups      process group ids
 * ports       of the listeners, in host byte order; connections accepted there are counted
 * ret_usages  `count` elements, zeroed by the caller
 */
void usage_measure(const pid_t *groups, uint32_t count, const uint16_t *ports, size_t port_count,
		   struct run_usage *ret_usages);

#endif
