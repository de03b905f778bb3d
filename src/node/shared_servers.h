/* SPDX-License-Identifier: MIT */
/*
 * What Node.js workers share, by key (cluster_key()): as Node.js's own primary does it, one socket
 * for all who ask. And sockets of a former controller's workers, which may be asked for again.
 */
#ifndef STICKY_NODE_SHARED_SERVERS_H
#define STICKY_NODE_SHARED_SERVERS_H

#include <stdbool.h>

#include "node/cluster_messages.h"

struct sharedports;

/* Returns 0 or -ENOMEM. */
int sharedports_open(int backlog, struct sharedports **ret_ports);

/* NULL is allowed. */
void sharedports_close(struct sharedports *ports);

/* A socket that workers of a former controller have; taken over; closed where it is no server. */
void sharedports_offer(struct sharedports *ports, int fd);

/*
 * Find it, or open it.
 *
 * data      of the query: the first one's is every worker's
 * ret_fd    stays ours
 * ret_data  borrowed
 *
 * Returns 0 or -errno.
 */
int sharedports_find(struct sharedports *ports, const struct cluster_query *query,
		     const json_t *data, int *ret_fd, const json_t **ret_data);

/* See nodeports_hold(). */
void sharedports_hold(struct sharedports *ports, const char *key);
void sharedports_release(struct sharedports *ports, const char *key, bool is_wanted);

/* Nobody comes next: what nobody has any more is closed from now on. */
void sharedports_stop(struct sharedports *ports);

/* Keeps the first that is any. Returns what is kept; borrowed. */
const json_t *sharedports_keep_data(json_t **kept, const json_t *data);

#endif
