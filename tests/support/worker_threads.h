/* SPDX-License-Identifier: MIT */
/*
 * Worker threads that answer each client with their slot, and client threads that connect without a
 * pause and count the results.
 */
#ifndef TESTS_SUPPORT_WORKER_THREADS_H
#define TESTS_SUPPORT_WORKER_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"

/* A thread that accepts from a worker's first listener. */
struct worker_thread {
	struct sticky_worker *worker;
	pthread_t thread;
	int stop; /* an eventfd: readable when the thread is to end */
};

/* Open a worker, start its thread, make it ready. Returns 0 or -errno. */
int worker_thread_start(struct sticky_group *group, uint32_t slot,
			struct worker_thread *ret_thread);

/* End the thread, and close the worker. Connections may still be in the worker's queue. */
int worker_thread_end(struct worker_thread *thread);

/*
 * Accept and answer until `stop` is readable, or until `limit` connections have been answered.
 * Returns the number of connections, or -errno.
 */
int worker_thread_serve(struct sticky_worker *worker, int stop, uint32_t limit);

#define CROWD_MAX 1000

/* A thread that connects from one address after the other, without a pause. */
struct crowd {
	struct sticky_group *group;
	struct sockaddr_storage server;
	sa_family_t family;
	uint32_t first;		   /* number of its first client: see client_address() */
	uint32_t addresses;	   /* number of addresses, up to CROWD_MAX */
	uint32_t limit;		   /* number of connections to make; 0: until crowd_end() */
	uint32_t slots[CROWD_MAX]; /* slot of each address */
	pthread_t thread;
	atomic_bool stop;
	atomic_uint connected; /* connect(2) succeeded */
	atomic_uint served;
	atomic_uint refused; /* connect(2) failed */
	atomic_uint delayed; /* served a second late, as the first SYN was dropped */
	atomic_uint lost;    /* connected, but got no answer: reset, or left in a queue */
	atomic_uint strayed; /* answered by a slot other than that of sticky_group_where() */
	atomic_int error;    /* the last error */
};

/* Start the thread. The fields above `slots` must be filled in. Returns 0 or -errno. */
int crowd_start(struct crowd *crowd);

/*
 * Wait until the thread's connections have ended. If `stop` is true, the thread begins no more
 * connections.
 */
void crowd_end(struct crowd *crowd, bool stop);

#endif
