/* SPDX-License-Identifier: MIT */
/*
 * Sockets that Node.js workers share, by key (cluster_key()). All workers that ask for the same
 * server get the same socket, as from Node.js's own primary. Sockets that workers have from a
 * previous controller are also held here, for later queries.
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
 * rights   of the workers' user, with which sockets are opened; must outlive the set
 *
 * Returns 0 or -ENOMEM.
 */
int shared_servers_open(int backlog, const struct user_rights *rights,
			struct shared_servers **ret_ports);

/* Close all sockets. NULL is allowed. */
void shared_servers_close(struct shared_servers *ports);

/*
 * Add a socket that workers have from a previous controller. `fd` is taken over, and closed if it
 * is no server's socket.
 */
void shared_servers_offer(struct shared_servers *ports, int fd);

/* Is there already a socket for this query, shared here or in a worker of a previous controller? */
bool shared_servers_has(const struct shared_servers *ports, const struct cluster_query *query);

/*
 * Find the shared socket that a query asks for, or open it.
 *
 * may_be_low  the port may be one that needs CAP_NET_BIND_SERVICE
 * data        of the query; the data of the first query is kept for all workers
 * ret_fd      stays open here
 * ret_data    borrowed
 *
 * Returns 0 or -errno.
 */
int shared_servers_find(struct shared_servers *ports, const struct cluster_query *query,
			bool may_be_low, const json_t *data, int *ret_fd, const json_t **ret_data);

/* Count a worker that holds a socket: see node_listeners_hold() and node_listeners_release(). */
void shared_servers_hold(struct shared_servers *ports, const char *key);
void shared_servers_release(struct shared_servers *ports, const char *key, bool is_wanted);

/* From now on close each socket that no worker has, as no other worker follows. */
void shared_servers_stop(struct shared_servers *ports);

/*
 * Keep a copy of the first data that is not null in `kept`. Data of more than 64 KiB is not kept,
 * as the data of Node.js itself has some hundred bytes. Returns the kept data; borrowed.
 */
const json_t *shared_servers_keep_data(json_t **kept, const json_t *data);

#endif
