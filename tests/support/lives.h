/* SPDX-License-Identifier: MIT */
/*
 * Workers as threads that answer each client with their slot, and clients as threads
 * that connect without a pause and count what becomes of it.
 */
#ifndef TESTS_SUPPORT_LIVES_H
#define TESTS_SUPPORT_LIVES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"

/* A thread that accepts from one worker's first listener. */
struct life {
	struct sticky_worker *worker;
	pthread_t thread;
	int stop; /* an eventfd: readable once the thread is to end */
};

/* Open a worker, start its thread, make it ready. Returns 0 or -errno. */
int life_start(struct sticky_group *group, uint32_t slot, struct life *ret_life);

/* End the thread, which may leave connections in the queue, and close the worker. */
int life_end(struct life *life);

/*
 * Accept and answer until `stop` is readable, or `limit` connections are answered.
 * Returns how many were, or -errno.
 */
int life_serve(struct sticky_worker *worker, int stop, uint32_t limit);

#define CROWD_MAX 1000

/* A thread that connects from one address after the other. */
struct crowd {
	struct sticky_group *group;
	struct sockaddr_storage server;
	sa_family_t family;
	uint32_t first;		   /* its first client: see client_address() */
	uint32_t addresses;	   /* how many, up to CROWD_MAX */
	uint32_t limit;		   /* connections to make; 0: until crowd_end() */
	uint32_t slots[CROWD_MAX]; /* where each of them belongs */
	pthread_t thread;
	atomic_bool stop;
	atomic_uint served;
	atomic_uint refused; /* connect(2) failed */
	atomic_uint delayed; /* served, but the first SYN got no answer: a second later */
	atomic_uint lost;    /* connected, but no answer came: reset, or left in a queue */
	atomic_uint strayed; /* answered by another slot than sticky_group_where()'s */
	atomic_int error;    /* the last one */
};

/* Start it; the fields above `slots` must be filled in. Returns 0 or -errno. */
int crowd_start(struct crowd *crowd);

/* Wait for the end of its connections; `stop`: make no more. */
void crowd_end(struct crowd *crowd, bool stop);

#endif
