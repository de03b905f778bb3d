/* SPDX-License-Identifier: MIT */
/* What a process has yet to read from its connections. */
#ifndef STICKY_PROCFS_UNREAD_INPUT_H
#define STICKY_PROCFS_UNREAD_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum unread {
	UNREAD_NONE,
	/*
	 * It accepted some that have sent nothing yet; or has begun with some of which more waits
	 * to be read: another request, or a part of one that it takes its time for.
	 */
	UNREAD_QUIET,
	UNREAD_SOME /* some wait to be accepted, or have sent what it read nothing of */
};

/*
 * Look at a process' connections at some local ports (host order).
 *
 * Returns an enum unread, or -errno. Costs a walk over its descriptors, and one over the network
 * namespace's connections. Needs to be allowed to look at the process' descriptors.
 */
int unread_look(pid_t pid, const uint16_t *ports, size_t port_count);

#endif
