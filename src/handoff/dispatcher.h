/* SPDX-License-Identifier: MIT */
/*
 * A dispatcher is a thread that accepts connections of proxies, reads in their first bytes who the
 * client is, and submits them for delivery. It peeks (MSG_PEEK), so that the worker gets every
 * byte; only a PROXY header that is to be stripped is taken out.
 *
 * A connection that has not sent enough yet costs memory and a place in an epoll set, and nothing
 * else: thousands of them slow no other connection down.
 */
#ifndef STICKY_HANDOFF_DISPATCHER_H
#define STICKY_HANDOFF_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "handoff/delivery.h"
#include "handoff/dispatch_rules.h"

/* What is worth a warning in the log. Reported from the dispatcher's thread. */
enum dispatch_notice {
	DISPATCH_KEEPS_ALIVE,	  /* a proxy's connection may carry several clients' requests */
	DISPATCH_UNTRUSTED_HEADER /* a public peer that is not trusted sends the header */
};

typedef void dispatch_notice_fn(void *context, enum dispatch_notice notice,
				const struct sockaddr *peer);

/* Counters only grow. All dispatchers write them atomically; read them with __atomic_load_n(). */
struct dispatch_counters {
	uint64_t accepted;
	uint64_t bad_header;   /* closed: the PROXY header is missing or wrong */
	uint64_t head_timeout; /* closed: the head was not complete in time */
	uint64_t client_gone;  /* closed by the client before its head was complete */
};

struct dispatcher_options {
	const int *fds; /* listening, non-blocking; owned by the caller */
	uint32_t fd_count;
	struct delivery *delivery;
	struct dispatch_counters *counters;
	dispatch_notice_fn *notice;
	void *context;
	void (*thread_begins)(void); /* called first in the new thread; may be NULL */
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

/* The number of connections whose head is not complete yet. May be called from any thread. */
uint32_t dispatcher_pending(const struct dispatcher *dispatcher);

/*
 * Stop a dispatcher, and free it. Connections in the queues of its sockets are accepted first.
 * Those whose head is not complete are submitted under the peer's own address, as no time is left
 * to wait; where a PROXY header is required they are closed. Waits for the thread. NULL is
 * allowed.
 */
void dispatcher_stop(struct dispatcher *dispatcher);

/*
 * The same for a program that takes this one's place on the same sockets: the dispatcher stops
 * accepting. A connection that has already been accepted may take up to patience_ms to send its
 * head.
 */
void dispatcher_leave(struct dispatcher *dispatcher, uint32_t patience_ms);

#endif
