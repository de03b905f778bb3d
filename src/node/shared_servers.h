/* SPDX-License-Identifier: MIT */
/*
 * Sockets that Node.js workers share, by key (cluster_key()): one socket for all workers that ask
 * for the same server, as in Node.js's own primary. Also holds sockets that workers have from a
 * previous controller, for queries to come.
 */
#ifndef STICKY_NODE_SHARED_SERVERS_H
#define STICKY_NODE_SHARED_SERVERS_H

#include <stdbool.h>

#include "rights/user_rights.h"
#include "node/cluster_messages.h"

struct shared_servers;

/*
 * Make an empty set of shared sockets.
 *
 * backlog  for listen(), of the sockets that are opened here
 * rights   of the workers' user, with which they are opened; must outlive the set
 *
 * Returns 0 or -ENOMEM.
 */
int shared_servers_open(int backlog, const struct user_rights *rights,
			struct shared_servers **ret_ports);

/* Closes all sockets. NULL is allowed. */
void shared_servers_close(struct shared_servers *ports);

/*
 * Add a socket that workers have from a previous controller. Takes `fd` over, and closes it if it
 * is no server's socket.
 */
void shared_servers_offer(struct shared_servers *ports, int fd);

/* Is there such a socket already, here or in a worker of a previous controller? */
bool shared_servers_has(const struct shared_servers *ports, const struct cluster_query *query);

/*
 * Find the shared socket that a query asks for, or open it.
 *
 * may_be_low  the port may be one that needs CAP_NET_BIND_SERVICE
 * data        of the query; that of the first query is kept for all workers
 * ret_fd      stays open here
 * ret_data    borrowed
 *
 * Returns 0 or -errno.
 */
int shared_servers_find(struct shared_servers *ports, const struct cluster_query *query,
			bool may_be_low, const json_t *data, int *ret_fd, const json_t **ret_data);

/* As node_listeners_hold() and node_listeners_release(). */
void shared_servers_hold(struct shared_servers *ports, const char *key);
void shared_servers_release(struct shared_servers *ports, const char *key, bool is_wanted);

/* No other worker follows: from now on a socket that no worker has is closed. */
void shared_servers_stop(struct shared_servers *ports);

/*
 * Keep a copy of the first data that is not null in `kept`, unless it is larger than 64 KiB: what
 * Node.js sends there has some hundred bytes. Returns what is kept; borrowed.
 */
const json_t *shared_servers_keep_data(json_t **kept, const json_t *data);

#endif
