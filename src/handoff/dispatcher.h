/* SPDX-License-Identifier: MIT */
/*
 * A dispatcher: a thread that accepts connections of proxies, finds out who the client is, and
 * submits them for delivery. It only ever peeks, but for a PROXY header that is to be stripped:
 * the worker gets every byte of the client's.
 *
 * A connection that has not said yet who it is costs memory and a place in an epoll set, nothing
 * else: thousands of them slow nobody.
 */
#ifndef STICKY_HANDOFF_DISPATCHER_H
#define STICKY_HANDOFF_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "handoff/delivery.h"
#include "handoff/dispatch_rules.h"

/* Things worth a word to the user, told from the dispatcher's thread. */
enum dispatch_notice {
	DISPATCH_KEEPS_ALIVE,	  /* a proxy's connection may carry several clients' requests */
	DISPATCH_UNTRUSTED_HEADER /* a public peer that is not trusted sends the header */
};

typedef void dispatch_notice_fn(void *context, enum dispatch_notice notice,
				const struct sockaddr *peer);

/* Counters only grow; written by all dispatchers, atomically. */
struct dispatch_counters {
	uint64_t accepted;
	uint64_t bad_header;   /* closed: no PROXY header, or a wrong one */
	uint64_t head_timeout; /* closed: said too little for too long */
	uint64_t client_gone;  /* went away before it had said enough */
};

struct dispatcher_options {
	const int *fds; /* listening, non-blocking; stay the caller's */
	uint32_t fd_count;
	struct delivery *delivery;
	struct dispatch_counters *counters;
	dispatch_notice_fn *notice;
	void *context;
	void (*thread_begins)(void); /* called in the thread, first; NULL: nothing is */
};

struct dispatcher;

/*
 * Start a dispatcher.
 *
 * rules  the dispatcher takes a reference of its own
 *
 * Returns 0 or -errno.
 */
int dispatcher_start(const struct dispatcher_options *options, const struct dispatch_rules *rules,
		     struct dispatcher **ret_dispatcher);

/*
 * Other rules, from the next look at a connection on. The dispatcher takes a reference of its own,
 * and gives up the one to the previous rules.
 */
void dispatcher_set_rules(struct dispatcher *dispatcher, const struct dispatch_rules *rules);

/* Connections that have not said yet who they are. */
uint32_t dispatcher_pending(const struct dispatcher *dispatcher);

/*
 * Stop it: what is in the queues of its sockets is accepted; who has not said who he is is
 * submitted by his own address, as there is no time left. Waits for the thread. NULL is allowed.
 */
void dispatcher_stop(struct dispatcher *dispatcher);

/*
 * The same where its sockets stay open for somebody else: nobody more is accepted, and who was is
 * given up to patience_ms to say who he is.
 */
void dispatcher_leave(struct dispatcher *dispatcher, uint32_t patience_ms);

#endif
