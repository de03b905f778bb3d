/* SPDX-License-Identifier: MIT */
/*
 * Opens a socket that several Node.js workers share, as Node.js's primary would, and recognises it.
 */
#ifndef STICKY_NODE_SHARED_SOCKET_H
#define STICKY_NODE_SHARED_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "rights/user_rights.h"
#include "node/cluster_messages.h"

/* Does the query ask for a UNIX socket? Such sockets are opened by unix_path_listen(). */
bool sharedsocket_is_path(const struct cluster_query *query);

/*
 * Open and bind the socket at an address that a query asks for; a stream socket then listens.
 *
 * backlog      for listen()
 * rights       of the workers' user, with which the socket is made and bound
 * may_be_low   bind with the controller's rights instead, even a port that needs
 *              CAP_NET_BIND_SERVICE
 *
 * Returns the descriptor, or -errno; -EACCES: the port needs CAP_NET_BIND_SERVICE.
 */
int sharedsocket_open(const struct cluster_query *query, int backlog,
		      const struct user_rights *rights, bool may_be_low);

/* Does the socket listen, or is it a UDP socket that is not connected? */
bool sharedsocket_is_server(int fd);

/* Is the socket bound to the path or address of this query? */
bool sharedsocket_is_at(int fd, const struct cluster_query *query);

/* Returns the socket's cookie, which is the same in every process; 0: unknown. */
uint64_t sharedsocket_cookie(int fd);

#endif
