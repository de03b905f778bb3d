/* SPDX-License-Identifier: MIT */
/* A socket that several Node.js workers share: opened as Node.js's own primary would, or known
 * again. */
#ifndef STICKY_NODE_SHARED_SOCKET_H
#define STICKY_NODE_SHARED_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "node/cluster_messages.h"

/* Bound, and listening where it is a stream's. Returns the descriptor, or -errno. */
int sharedsocket_open(const struct cluster_query *query, int backlog);

/* Does it listen, or is it a UDP socket that is bound and not connected? */
bool sharedsocket_is_server(int fd);

/* Is it the socket of this path, or of this address? */
bool sharedsocket_is_at(int fd, const struct cluster_query *query);

/* By which it is the same one in any process; 0: unknown. */
uint64_t sharedsocket_cookie(int fd);

#endif
