/* SPDX-License-Identifier: MIT */
/* What process groups use, from /proc. */
#ifndef STICKY_PROCFS_USAGE_H
#define STICKY_PROCFS_USAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "procfs/run_usage.h"

/*
 * Measure groups: memory and CPU time of all their processes, and their established TCP
 * connections (those that were accepted; a descriptor that several of them hold counts
 * once). One walk through /proc for all; what can't be read is left at 0.
 *
 * groups      process group ids
 * ports       of the listeners: what is accepted there counts as a connection
 * ret_usages  count elements, zeroed
 */
void procusage_measure(const pid_t *groups, uint32_t count, const uint16_t *ports,
		       size_t port_count, struct run_usage *ret_usages);

#endif
