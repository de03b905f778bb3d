/* SPDX-License-Identifier: MIT */
/* Finds out whether a process still has connections of clients. */
#ifndef STICKY_PROCFS_OPEN_CONNECTIONS_H
#define STICKY_PROCFS_OPEN_CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Does a process have an accepted connection at one of these local ports?
 *
 * ports  in host byte order
 *
 * Returns 1, 0, or -errno. Costs a walk over all connections of the network namespace, and one over
 * the process's descriptors. Needs permission to read the process's descriptors.
 */
int connections_are_open(pid_t pid, const uint16_t *ports, size_t port_count);

#endif
