/* SPDX-License-Identifier: MIT */
/*
 * The listeners of Node.js applications. With -l these are the addresses that it names, without -l
 * all TCP ports that the application opens. Each worker has a socket of its own there. For each
 * other server of the application (a UNIX socket, UDP, port 0) all workers share one socket, as
 * with Node.js's own primary.
 */
#ifndef STICKY_NODE_NODE_LISTENERS_H
#define STICKY_NODE_NODE_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rights/user_rights.h"
#include "node/cluster_messages.h"
#include "sticky.h"

struct node_listeners;

struct node_listeners_options {
	struct sticky_group *group;
	int backlog;
	const struct user_rights *rights; /* of the workers' user */
	bool is_named;			  /* -l names the listeners: no other address is steered */
	bool may_add;			  /* more listeners can be added after the first one */
	/* A listener was added to the group. */
	void (*added)(void *context);
	void *context;
};

/* The answer to a query. */
struct node_listener {
	int listener;	    /* index of the group's listener; -1: a shared socket */
	int fd;		    /* the shared socket, which stays open here */
	const json_t *data; /* data that all workers of this server share */
};

/* Begin with the listeners that the group has. Returns 0 or -ENOMEM. */
int node_listeners_open(const struct node_listeners_options *options,
			struct node_listeners **ret_ports);

/* Close all shared sockets. NULL is allowed. */
void node_listeners_close(struct node_listeners *ports);

/*
 * Offer a socket of a worker that a previous controller started. If a query later asks for the
 * address of this socket, the socket is shared again, as another one could not be bound. `fd` is
 * taken over. It is closed if it is no server's socket.
 */
void node_listeners_offer(struct node_listeners *ports, int fd);

/*
 * Find the listener or the shared socket that a query asks for, or open it.
 *
 * held  the listeners that this worker has open, one bit each: none of them is given to it again
 * data  of the query; kept for workers that ask later
 *
 * Returns 0 or -errno, which the application gets as the error of its listen().
 */
int node_listeners_find(struct node_listeners *ports, const struct cluster_query *query,
			uint32_t held, const json_t *data, struct node_listener *ret_port);

/*
 * Note that a worker has opened, or closed, the shared socket with this key (cluster_key()). When
 * the last worker closes the socket, it is closed here, too, as in Node.js's own primary: an
 * application may want connections to a port for health checks to be refused.
 *
 * is_wanted  the socket stays open for the next worker of the slot, as this worker has ended or was
 *            asked to stop. (A worker that stops on its own decision closes its servers before
 *            that, with is_wanted false.)
 */
void node_listeners_hold(struct node_listeners *ports, const char *key);
void node_listeners_release(struct node_listeners *ports, const char *key, bool is_wanted);

/*
 * From now on close each socket that no worker has, now and later: the instance stops, and starts
 * no more workers. NULL is allowed.
 */
void node_listeners_stop(struct node_listeners *ports);

/* Returns the index of the listener at which a connection was accepted; 0 if it is not known. */
int node_listeners_index_of(const struct node_listeners *ports, int fd);

/* A caller that is told of each listener that is added. */
struct node_listeners_watch {
	struct node_listeners_watch *next;
	void (*added)(struct node_listeners_watch *watch);
	void *context; /* of added() */
};

/* Begin to watch, and stop. The caller owns the structure. */
void node_listeners_watch(struct node_listeners *ports, struct node_listeners_watch *watch);
void node_listeners_unwatch(struct node_listeners *ports, const struct node_listeners_watch *watch);

/*
 * Does each TCP port of the application become a listener? It does not with -l, nor with
 * dispatchers.
 */
bool node_listeners_may_grow(const struct node_listeners *ports);

/* Note the listeners on which the READY worker of a slot listens, one bit each. */
void node_listeners_remember(struct node_listeners *ports, uint32_t slot, uint32_t listening);

/*
 * Returns the listeners on which a new worker of a slot should listen, one bit each. These are the
 * listeners of the slot's last READY worker; in a new slot, those that all other workers have in
 * common. 0: none is known.
 */
uint32_t node_listeners_wanted(const struct node_listeners *ports, uint32_t slot);

/* Write the address of a listener. */
void node_listeners_address(const struct node_listeners *ports, uint32_t listener, size_t size,
			    char *ret_text);

/* Returns the set of all listeners of the group, one bit each. */
uint32_t node_listeners_all(const struct node_listeners *ports);

/* Write the addresses that -l names and that are not in the set `listening`; "": none. */
void node_listeners_missing(const struct node_listeners *ports, uint32_t listening, size_t size,
			    char *ret_text);

#endif
