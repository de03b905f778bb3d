/* SPDX-License-Identifier: MIT */
/*
 * The state of a dispatcher, which dispatcher.c and dispatcher_heads.c share. No other file
 * includes it. All functions here are called in the dispatcher's thread, or after its end.
 */
#ifndef STICKY_HANDOFF_DISPATCHER_INTERNAL_H
#define STICKY_HANDOFF_DISPATCHER_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "handoff/connection_head.h"
#include "handoff/dispatcher.h"
#include "handoff/exits.h"

/* A connection whose head is not complete yet. */
struct pending {
	TAILQ_ENTRY(pending) in_order; /* ordered by since_ms */
	struct connection_head head;
	uint64_t since_ms;
};

TAILQ_HEAD(pending_list, pending);

struct dispatcher {
	struct dispatcher_options options;
	pthread_t thread;
	int poll_fd;
	int stop_fd; /* an eventfd, readable when the thread is to end */
	bool stopping;
	bool leaves_queues; /* see dispatcher_leave() */
	int *accepted;	    /* options.accepted, until the thread has begun with them */
	bool is_paused;	    /* the dispatcher does not accept, as no descriptor was left */
	uint64_t paused_ms;
	struct pending_list proxies;
	struct pending_list samples; /* connections of untrusted peers: their timeout is shorter */
	uint32_t pending_count;	     /* only the thread writes it; other threads read it */
	pthread_mutex_t lock;	     /* protects `rules` and `leaves_queues` */
	const struct dispatch_rules *rules; /* read by take_rules() in dispatcher_heads.c */
	uint8_t bytes[CONNECTION_HEAD_SIZE_MAX];
};

/*
 * Begin with a connection that was just accepted: submit it, close it, or wait for the rest of its
 * head.
 *
 * fd  taken over in any case
 */
void dispatcher_heads_begin(struct dispatcher *dispatcher, int fd,
			    const struct sockaddr_storage *peer);

/* Look again at a connection on which more bytes have arrived. */
void dispatcher_heads_look_again(struct dispatcher *dispatcher, struct pending *pending);

/* End the connections whose heads have timed out. */
void dispatcher_heads_end_slow(struct dispatcher *dispatcher);

/*
 * Returns the time at which the next connection times out, by clock_ms(); UINT64_MAX: none waits.
 */
uint64_t dispatcher_heads_due_ms(struct dispatcher *dispatcher);

/* Submit or close all connections whose heads are not complete, as no time is left to wait. */
void dispatcher_heads_finish(struct dispatcher *dispatcher);

/* Leave all connections whose heads are not complete to another program: see dispatcher_leave(). */
int dispatcher_heads_leave(struct dispatcher *dispatcher, struct carried *carried);

#endif
