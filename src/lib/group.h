/* SPDX-License-Identifier: MIT */
/* The group and its slots, as group.c, slot.c and worker.c share them. */
#ifndef STICKY_LIB_GROUP_H
#define STICKY_LIB_GROUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "listener.h"
#include "log.h"
#include "steering.h"
#include "sticky.h"

/* One listening socket for each listener of the group: what a life of a slot owns. */
struct socket_set {
	int fd[STICKY_LISTENERS_LIMIT]; /* -1 beyond the group's listeners */
};

struct sticky_worker {
	struct sticky_group *group;
	uint32_t slot;
	uint64_t generation;
	struct socket_set sockets;
};

struct slot {
	struct sticky_worker *owner; /* the ready worker that has the slot; NULL: held */
	struct socket_set holding;   /* open exactly while there is no owner */
	uint64_t generation;	     /* of the worker opened last */
	uint64_t overflows;	     /* of sockets that are closed by now */
};

struct sticky_group {
	pthread_mutex_t lock; /* everything below */
	struct log log;
	struct steering *steering;
	struct listener listeners[STICKY_LISTENERS_LIMIT];
	uint32_t listener_count;
	uint32_t backlog;
	uint32_t slot_count;
	uint32_t worker_count; /* open ones */
	bool workers_seen;     /* one was opened: the listeners are fixed */
	bool refusing;
	bool migration_wakes; /* the kernel wakes a sleeping acceptor for moved connections */
	struct slot slots[];
};

void socket_set_init(struct socket_set *set);

/* A set of fresh sockets, bound and listening, in no map. Returns 0 or -errno. */
int socket_set_open(const struct sticky_group *group, struct socket_set *ret_set);

void socket_set_close(struct socket_set *set);

/* Connections that wait in the queues of a set. */
uint32_t socket_set_queue(const struct sticky_group *group, const struct socket_set *set);

/* SYNs that the sockets of a set dropped. */
uint32_t socket_set_overflows(const struct sticky_group *group, const struct socket_set *set);

/* The sockets that have the slot's entries now. */
const struct socket_set *slot_present(const struct slot *slot);

/*
 * The one way in which a slot changes hands, first half: the successor's sockets are put
 * in the map. The second half is the closing of the predecessor's, which is what makes
 * the kernel move their queues.
 *
 * On failure the slot stays with whoever had it. Returns 0 or -errno.
 */
int slot_give(struct sticky_group *group, uint32_t slot, const struct socket_set *successor);

/* Second half, where the predecessor's sockets are ours to close. */
void slot_close_predecessor(struct sticky_group *group, uint32_t slot, struct socket_set *sockets);

/*
 * Give a slot that has an owner to a fresh holding socket. Returns 0, or -errno: the slot
 * is then held by the owner's own sockets, which move to the slot.
 */
int slot_hold(struct sticky_group *group, uint32_t slot);

#endif
