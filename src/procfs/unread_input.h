/* SPDX-License-Identifier: MIT */
/* Finds out whether a process has still to read from its connections. */
#ifndef STICKY_PROCFS_UNREAD_INPUT_H
#define STICKY_PROCFS_UNREAD_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum unread {
	UNREAD_NONE,
	/*
	 * Some connections were accepted, but have sent nothing yet. Or the process has read from
	 * some connections, and more bytes wait there: another request, or the rest of one that is
	 * being read slowly.
	 */
	UNREAD_QUIET,
	/* some connections wait to be accepted, or have sent bytes of which none was read */
	UNREAD_SOME
};

/*
 * Look at a process's connections at local ports.
 *
 * ports  in host byte order
 *
 * Returns an enum unread, or -errno. Costs a walk over the process's descriptors, and one over the
 * network namespace's TCP sockets. Needs permission to read the process's descriptors.
 */
int unread_look(pid_t pid, const uint16_t *ports, size_t port_count);

#endif
