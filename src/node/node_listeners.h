/* SPDX-License-Identifier: MIT */
/*
 * What Node.js applications listen on. The address that clients come to is a listener of the
 * group's: each life has a socket of its own there. Other servers of the application, a port for
 * metrics, a UNIX path, UDP, are shared by all workers, as Node.js's own primary does it: one
 * socket for all who ask.
 */
#ifndef STICKY_NODE_NODE_LISTENERS_H
#define STICKY_NODE_NODE_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/cluster_messages.h"
#include "sticky.h"

struct nodeports;

struct nodeports_options {
	struct sticky_group *group;
	int backlog;
	bool is_named; /* the user named the listeners: no other one is steered */
	bool may_add;  /* more than one listener can be added */
	/* A listener was added. */
	void (*added)(void *context);
	void *context;
};

/* What a query gets. */
struct nodeport {
	int listener;	    /* of the group; -1: a shared socket */
	int fd;		    /* shared; stays ours */
	const json_t *data; /* what all workers of this server share */
};

int nodeports_open(const struct nodeports_options *options, struct nodeports **ret_ports);

/* NULL is allowed. */
void nodeports_close(struct nodeports *ports);

/*
 * A socket that a worker of a former controller has: where a query later finds its address in
 * use, it may be by this one, which is then shared again. Taken over; closed where it is none.
 */
void nodeports_offer(struct nodeports *ports, int fd);

/*
 * Find what a server is to listen on, or make it.
 *
 * held  the listeners that this worker has open, a bit each: none is given twice
 * data  of the query; kept for the workers that ask later
 *
 * Returns 0 or -errno: the application gets it as the error of its listen().
 */
int nodeports_find(struct nodeports *ports, const struct cluster_query *query, uint32_t held,
		   const json_t *data, struct nodeport *ret_port);

/*
 * A worker has the shared socket of a key (cluster_key()) now, or has it no more. The last one that
 * closes it closes it for good, as in Node.js's own primary: a port for health checks may be meant
 * to be refused. One that is_wanted stays, for who comes next in the slot of a worker that has
 * ended, or was told to. (One that ends by its own decision, and closes its servers first, has
 * closed them.)
 */
void nodeports_hold(struct nodeports *ports, const char *key);
void nodeports_release(struct nodeports *ports, const char *key, bool is_wanted);

/* Nobody comes next: what nobody has any more is closed from now on. NULL is allowed. */
void nodeports_stop(struct nodeports *ports);

/* The listener to which a connection came. */
int nodeports_listener_of(const struct nodeports *ports, int fd);

/* All listeners of the group, a bit each. */
uint32_t nodeports_listeners(const struct nodeports *ports);

/* Of the listeners that the user named those that are not in the set, as text; "": none. */
void nodeports_missing(const struct nodeports *ports, uint32_t listening, size_t size,
		       char *ret_text);

#endif
