/* SPDX-License-Identifier: MIT */
/* The group and its slots, as group.c, slot.c and worker.c share them. */
#ifndef STICKY_LIB_GROUP_INTERNAL_H
#define STICKY_LIB_GROUP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/listener.h"
#include "engine/log.h"
#include "lib/lookup.h"
#include "sticky.h"

/* The length of an accept queue, if the host does not say one. */
#define GROUP_DEFAULT_BACKLOG 4096

/* The listening sockets of one worker, or of a held slot: one for each listener of the group. */
struct socket_set {
	/* -1: beyond the group's listeners, or not served: sticky_worker_serve() */
	int fd[STICKY_LISTENERS_LIMIT];
};

struct sticky_worker {
	struct sticky_group *group;
	uint32_t slot;
	uint64_t generation;
	struct socket_set sockets;
	struct sticky_worker *next; /* in the group's list of open workers, or of retired ones */
	bool is_open;		    /* for worker_check() */
};

struct slot {
	struct sticky_worker
		*owner; /* the ready worker that has the slot; NULL: the slot is held */
	/*
	 * open while the slot has no owner, and only then; or, where workers share the slot's
	 * sockets (group_shares_sockets()), as long as the group is
	 */
	struct socket_set holding;
	/* the shared sockets have O_NONBLOCK, since sticky_slot_holding_fd() */
	bool is_nonblocking;
	uint64_t generation; /* of the worker that was opened last */
	uint64_t overflows;  /* SYNs dropped by sockets that are closed by now */
	/*
	 * bits of listeners whose shared socket was opened by a growth that has not succeeded yet:
	 * no program names it
	 */
	uint32_t is_new;
	bool is_away; /* its clients go to other slots after the next sticky_group_apply() */
};

/* Sockets that belong to no slot any more, and are about to be closed: see deferred_close.c. */
struct closing {
	struct closing *next;
	uint64_t due_ns; /* by CLOCK_MONOTONIC */
	uint32_t slot;	 /* the slot that had them */
	struct socket_set sockets;
	/* no sockets are closed: only look at the slot's queue, see deferred_close.c */
	bool is_check;
	uint32_t check; /* the number of this look, counted from 0 */
};

struct sticky_group {
	pthread_mutex_t lock;	  /* protects everything below that can change: group_lock() */
	unsigned char *fork_mark; /* a page that is wiped in a child: see group_lock.c */
	struct log log;
	struct bpf_access access;
	struct engine *engine;
	struct lookup *lookup; /* is read without the lock */
	struct listener listeners[STICKY_LISTENERS_LIMIT];
	uint32_t address_count; /* listeners */
	/* number of listeners for which slots have sockets: all of them, or none */
	uint32_t listener_count;
	/* bound sockets that keep the address; -1: the slots' sockets keep it */
	int reserved[STICKY_LISTENERS_LIMIT];
	struct sticky_dispatchers *dispatchers; /* NULL: none are open */
	uint32_t backlog;
	struct preparation preparation; /* without the listener */
	uint32_t slot_count;
	struct sticky_worker *workers; /* list of the open workers */
	bool refusing;
	int migration_wakes;	  /* see sticky_group_wakes() */
	struct closing *closings; /* ordered by due_ns */
	/* readable when one is due; -1: the functions wait by themselves */
	int timer_fd;
	int poll_fd;	     /* sticky_group_fd(); -1: the host does not poll */
	bool table_is_stale; /* is_away of a slot has changed */
	bool adopting;	     /* sticky_group_finish_adoption() has not succeeded yet */
	bool checking;	     /* a thread is in sticky_group_check() */
	/* only of the thread that is checking: at which address each listener is asked first */
	uint32_t check_from[STICKY_LISTENERS_LIMIT];
	struct slot slots[STICKY_SLOTS_LIMIT]; /* the first slot_count are in use */
};

/* Prepare the lock. Returns 0 or -ENOMEM. */
int group_lock_init(struct sticky_group *group);
void group_lock_fini(struct sticky_group *group);

/*
 * Is this process a child of the one that opened the group? Functions that change something return
 * -ECHILD then. Makes no system call.
 */
bool group_is_inherited(const struct sticky_group *group);

/*
 * Lock and unlock the group. In a child they do nothing: the lock may be locked there for ever, by
 * a thread that only the parent has.
 */
void group_lock(struct sticky_group *group);
void group_unlock(struct sticky_group *group);

/*
 * Copy the options of a caller. Its structure may have fewer or more members than this library
 * knows: see sized.h.
 */
int group_copy_options(const struct sticky_group_options *options,
		       struct sticky_group_options *ret_options);

/* Create a group without an engine, listeners and slots. Returns NULL if there is no memory. */
struct sticky_group *group_new(const struct sticky_group_options *options);

/*
 * Learn from a listening socket what its listener is, and make it the group's next one. Returns 0,
 * -EINVAL (it does not listen, or has no address), or another -errno.
 */
int group_learn_listener(const struct sticky_group *group, int fd, struct listener *ret_listener);

/*
 * Find out whether this kernel wakes a sleeping acceptor when a connection is moved to its socket.
 */
void group_learn_of_wake_ups(struct sticky_group *group);

/*
 * listen(2) on a socket of the group, and lock its program. The program is attached once more
 * before that, for the whole listener. A worker may have detached it (SO_DETACH_REUSEPORT_BPF,
 * which no lock forbids), or a foreign socket of the same uid may have replaced it by a program of
 * its own. Each time a slot changes hands, the program is thus restored.
 *
 * Returns 0 or -errno. Costs three system calls.
 */
int group_listen_on(const struct sticky_group *group, const struct listener *listener, int fd);

/*
 * Do all workers of a slot have the same sockets, those in `holding`? A worker then has duplicates
 * of their descriptors.
 */
bool group_shares_sockets(const struct sticky_group *group);

void socket_set_init(struct socket_set *set);

/* Is the address known? Not where sticky_group_adopt_listener() got no socket. */
bool listener_is_known(const struct listener *listener);

/* Open the socket of one listener in a set that has none of it. Returns 0 or -errno. */
int socket_set_open_one(const struct sticky_group *group, uint32_t listener,
			struct socket_set *set);

/* Open a set of sockets: bound, listening, and in no map. Returns 0 or -errno. */
int socket_set_open(const struct sticky_group *group, struct socket_set *ret_set);

/*
 * Duplicate the socket of one listener, if there is one, into a set that has none of it. Returns 0
 * or -errno.
 */
int socket_set_duplicate_one(const struct socket_set *from, uint32_t listener,
			     struct socket_set *set);

void socket_set_close(struct socket_set *set);

/* The number of connections that wait in the queues of a set. */
uint32_t socket_set_queue(const struct sticky_group *group, const struct socket_set *set);

/* The number of SYNs that the sockets of a set have dropped. */
uint32_t socket_set_overflows(const struct sticky_group *group, const struct socket_set *set);

/*
 * Add a worker to the list of open ones, or remove it. Open workers get sockets of listeners that
 * are added later.
 */
void group_add_worker(struct sticky_group *group, struct sticky_worker *worker);
void group_remove_worker(struct sticky_group *group, const struct sticky_worker *worker);

/*
 * The end of a closed worker. It is freed at once, except where the library was built for debugging
 * (STICKY_DEBUG): then it is kept until the process ends, so that worker_check() finds out that it
 * is used after its close, also after that of its group.
 */
void worker_retire(struct sticky_worker *worker);

/*
 * With STICKY_DEBUG: if the worker has been closed, print the function that was called, and
 * abort(3). Otherwise this does nothing.
 */
void worker_check(const struct sticky_worker *worker, const char *function);

/*
 * With STICKY_DEBUG: if workers or dispatchers of a group that is to be closed are open, print
 * that, and abort(3): they would use the group after its end. Otherwise this does nothing.
 */
void group_check_close(const struct sticky_group *group);

/* ---- shared.c: where all workers of a slot share its sockets ---- */

/*
 * Open the sockets of a slot that it does not have, and let the engine know all of them. Those that
 * were opened are marked in `is_new`.
 */
int shared_open(struct sticky_group *group, uint32_t slot);

/*
 * Close the sockets of a slot that are marked in `is_new`. If several slots have such sockets, that
 * of the last slot must be closed first: the order of all others in the kernel then stays.
 */
void shared_close_new(struct sticky_group *group, uint32_t slot);

/*
 * Open a worker's sockets: duplicates of the slot's. Sockets that do not listen any more are
 * replaced before. Returns 0 or -errno.
 */
int shared_open_worker(struct sticky_group *group, uint32_t slot, struct socket_set *ret_set);

/*
 * Send a slot's connections to it, of the listeners of which `served` has a socket, and put that in
 * force. Returns 0; -EINVAL: one of the sockets does not listen; or another -errno, and nothing has
 * changed.
 */
int shared_give(struct sticky_group *group, uint32_t slot, const struct socket_set *served);

/*
 * The slot has no worker any more: send it the connections of all listeners, to wait. Returns 0 or
 * -errno.
 */
int shared_hold(struct sticky_group *group, uint32_t slot);

/*
 * A slot's worker, or what it serves, has changed: watch the sockets of listeners that the worker
 * does not serve, for shared_run(). Does nothing where sockets are not shared, or the host does not
 * poll.
 */
void shared_watch(struct sticky_group *group, uint32_t slot);

/*
 * Reset the connections that wait at listeners that the slot's worker does not serve: they came
 * before the program was replaced, and no process accepts them.
 */
void shared_run(struct sticky_group *group);

/* The sockets of a slot that are in the map at present. */
const struct socket_set *slot_present(const struct slot *slot);
struct socket_set *slot_present_set(struct slot *slot);

/*
 * The first half of a change of hands: put the sockets of the slot's next owner in the map. The
 * second half is to close the sockets of the previous owner, by which the kernel moves their
 * queues.
 *
 * On failure the slot stays as it was. Returns 0 or -errno.
 */
int slot_give(struct sticky_group *group, uint32_t slot, const struct socket_set *successor);

/*
 * The second half, if the library itself closes the sockets of the previous owner. They are closed
 * in a moment: see deferred_close.c. The set is empty afterwards.
 */
void deferred_close_add(struct sticky_group *group, uint32_t slot, struct socket_set *sockets);

/* The number of connections in the queues of a slot's sockets that are about to be closed. */
uint32_t deferred_close_queue(const struct sticky_group *group, uint32_t slot);

/* Close at once all sockets that would be closed later. */
void deferred_close_flush(struct sticky_group *group);

/* The same at the end of the group: no worker is woken any more. */
void deferred_close_finish(struct sticky_group *group);

/*
 * Unlock the group. Then, unless the host polls sticky_group_fd(), wait until all sockets are
 * closed.
 */
void group_unlock_and_settle(struct sticky_group *group);

/*
 * Take the dispatchers' sockets out of the maps. Connections in their queues are still to be
 * accepted.
 */
void dispatchers_refuse(struct sticky_group *group);

/* Add a slot, which is held. Returns 0 or -errno. */
int slot_add(struct sticky_group *group, uint32_t slot);

/*
 * Remove a slot that is not in the table any more. Its entries in the map are emptied. Connections
 * in its holding sockets move to the slots that have its buckets now. A worker of the slot keeps
 * its sockets.
 */
void slot_remove(struct sticky_group *group, uint32_t slot);

/*
 * Hold a slot that has an owner, by new holding sockets. Returns 0, or -errno: the owner's own
 * sockets are then the slot's holding sockets, and the owner has none.
 */
int slot_hold(struct sticky_group *group, uint32_t slot);

#endif
