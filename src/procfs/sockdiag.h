/* SPDX-License-Identifier: MIT */
/* The kernel's list of TCP connections, by sock_diag(7). */
#ifndef STICKY_PROCFS_SOCKDIAG_H
#define STICKY_PROCFS_SOCKDIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The inode numbers of accepted connections at some local ports, ascending.
 *
 * ports       in host order
 * ret_inodes  freed by the caller; NULL where there are none
 *
 * Returns how many, or -errno. Costs a walk over the connections of the network namespace.
 */
long sockdiag_connections(const uint16_t *ports, size_t port_count, uint32_t **ret_inodes);

struct sockdiag_socket {
	uint32_t inode;
	bool listens;	   /* else: an accepted connection */
	uint32_t queue;	   /* connections that wait to be accepted; bytes that wait to be read, the
			      end of the stream counting as one */
	uint64_t received; /* bytes, of a connection */
};

/* Returns 0 to go on, or -errno, which ends the walk. */
typedef int sockdiag_found_fn(void *context, const struct sockdiag_socket *socket);

/*
 * All listening sockets and accepted connections at some local ports (host order). Returns 0 or
 * -errno. Costs a walk over the network namespace's.
 */
int sockdiag_walk(const uint16_t *ports, size_t port_count, sockdiag_found_fn *found,
		  void *context);

#endif
