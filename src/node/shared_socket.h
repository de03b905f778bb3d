/* SPDX-License-Identifier: MIT */
/*
 * A socket that several Node.js workers share: opens it as Node.js's primary would, and finds it.
 */
#ifndef STICKY_NODE_SHARED_SOCKET_H
#define STICKY_NODE_SHARED_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "node/cluster_messages.h"

/*
 * Open and bind the socket that a query asks for; a stream socket listens then.
 *
 * backlog  for listen()
 *
 * Returns the descriptor, or -errno.
 */
int sharedsocket_open(const struct cluster_query *query, int backlog);

/* Does the socket listen, or is it a UDP socket that is not connected? */
bool sharedsocket_is_server(int fd);

/* Is the socket bound to the path or address of this query? */
bool sharedsocket_is_at(int fd, const struct cluster_query *query);

/* Returns the kernel's number of the socket, the same in every process; 0: unknown. */
uint64_t sharedsocket_cookie(int fd);

#endif
