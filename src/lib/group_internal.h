/* SPDX-License-Identifier: MIT */
/* The group and its slots, as group.c, slot.c and worker.c share them. */
#ifndef STICKY_LIB_GROUP_INTERNAL_H
#define STICKY_LIB_GROUP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/listener.h"
#include "lib/log.h"
#include "lib/steering.h"
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
	struct sticky_worker *next; /* of the group's open ones */
};

struct slot {
	struct sticky_worker *owner; /* the ready worker that has the slot; NULL: held */
	struct socket_set holding;   /* open exactly while there is no owner */
	uint64_t generation;	     /* of the worker opened last */
	uint64_t overflows;	     /* of sockets that are closed by now */
	bool is_away;		     /* its clients are dealt out to others, once that is applied */
};

/* Sockets that are no slot's any more, and are closed in a moment: see closing.c. */
struct closing {
	struct closing *next;
	uint64_t due_ns; /* by CLOCK_MONOTONIC */
	uint32_t slot;	 /* whose they were */
	struct socket_set sockets;
	bool is_check;	/* no sockets: a look at the slot's queue, see closing.c */
	uint32_t check; /* the how manieth */
};

struct sticky_group {
	pthread_mutex_t lock; /* everything below */
	struct log log;
	struct bpf_access access;
	struct steering *steering;
	struct listener listeners[STICKY_LISTENERS_LIMIT];
	uint32_t address_count;		      /* listeners */
	uint32_t listener_count;	      /* those for which slots have sockets: all, or none */
	int reserved[STICKY_LISTENERS_LIMIT]; /* bound: the address is ours; -1: a slot's is */
	struct sticky_dispatchers *dispatchers; /* NULL: none are open */
	uint32_t backlog;
	uint32_t slot_count;
	struct sticky_worker *workers; /* open ones */
	bool refusing;
	int migration_wakes;		       /* see sticky_group_wakes() */
	struct closing *closings;	       /* in the order of their time */
	int timer_fd;			       /* readable when one is due; -1: we wait ourselves */
	bool table_is_stale;		       /* somebody's is_away changed */
	struct slot slots[STICKY_SLOTS_LIMIT]; /* slot_count of them are in use */
};

/* Copy the options of a caller who may know fewer members, or more: see sized.h. */
int group_copy_options(const struct sticky_group_options *options,
		       struct sticky_group_options *ret_options);

/* A group without steering, listeners and slots. NULL: out of memory. */
struct sticky_group *group_new(const struct sticky_group_options *options);

/* Find out whether this kernel wakes a sleeping acceptor for a connection that was moved. */
void group_learn_of_wake_ups(struct sticky_group *group);

void socket_set_init(struct socket_set *set);

/* A set of fresh sockets, bound and listening, in no map. Returns 0 or -errno. */
int socket_set_open(const struct sticky_group *group, struct socket_set *ret_set);

void socket_set_close(struct socket_set *set);

/* Connections that wait in the queues of a set. */
uint32_t socket_set_queue(const struct sticky_group *group, const struct socket_set *set);

/* SYNs that the sockets of a set dropped. */
uint32_t socket_set_overflows(const struct sticky_group *group, const struct socket_set *set);

/* A worker is open from now on, or not any more: it gets a socket of listeners that are added. */
void group_add_worker(struct sticky_group *group, struct sticky_worker *worker);
void group_remove_worker(struct sticky_group *group, const struct sticky_worker *worker);

/* The sockets that have the slot's entries now. */
const struct socket_set *slot_present(const struct slot *slot);
struct socket_set *slot_present_set(struct slot *slot);

/*
 * The one way in which a slot changes hands, first half: the successor's sockets are put
 * in the map. The second half is the closing of the predecessor's, which is what makes
 * the kernel move their queues.
 *
 * On failure the slot stays with whoever had it. Returns 0 or -errno.
 */
int slot_give(struct sticky_group *group, uint32_t slot, const struct socket_set *successor);

/*
 * Second half, where the predecessor's sockets are ours to close: in a moment, see closing.c.
 * The set is empty afterwards.
 */
void closing_add(struct sticky_group *group, uint32_t slot, struct socket_set *sockets);

/* Connections that wait in the queues of a slot's sockets that are about to be closed. */
uint32_t closing_queue(const struct sticky_group *group, uint32_t slot);

/* Close all now, due or not, as if they were. */
void closing_flush(struct sticky_group *group);

/* The same at the end of the group. */
void closing_finish(struct sticky_group *group);

/* Unlock the group; then, unless the host polls, wait until all is closed. */
void group_unlock_and_settle(struct sticky_group *group);

/* Nobody is sent to the dispatchers any more: what is in their queues is theirs to accept. */
void dispatchers_refuse(struct sticky_group *group);

/* A slot that is new: held. Returns 0 or -errno. */
int slot_add(struct sticky_group *group, uint32_t slot);

/*
 * A slot that the table does not know any more: its entries are emptied, what waits in its
 * holding sockets moves to where the table says. A worker that had it keeps its sockets.
 */
void slot_remove(struct sticky_group *group, uint32_t slot);

/*
 * Give a slot that has an owner to a fresh holding socket. Returns 0, or -errno: the slot
 * is then held by the owner's own sockets, which move to the slot.
 */
int slot_hold(struct sticky_group *group, uint32_t slot);

#endif
