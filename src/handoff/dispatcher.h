/* SPDX-License-Identifier: MIT */
/*
 * A dispatcher is a thread that accepts connections of proxies, finds the client's address in their
 * first bytes, and submits them for delivery. It peeks (MSG_PEEK), so that the worker gets every
 * byte; only a PROXY header that is to be stripped is taken out.
 *
 * A connection that has not sent enough yet costs memory and a place in an epoll set, and nothing
 * else. Thousands of such connections do not slow others down.
 */
#ifndef STICKY_HANDOFF_DISPATCHER_H
#define STICKY_HANDOFF_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "handoff/carried.h"
#include "handoff/delivery.h"
#include "handoff/dispatch_rules.h"

/* Events that are worth a warning in the log. The dispatcher's thread reports them. */
enum dispatch_notice {
	DISPATCH_KEEPS_ALIVE,	   /* a proxy's connection may carry several clients' requests */
	DISPATCH_UNTRUSTED_HEADER, /* a public peer that is not trusted sends the header */
	DISPATCH_BAD_HEADER,	   /* a trusted peer's PROXY header is missing or wrong */
	DISPATCH_HEAD_TOO_LONG	   /* a trusted peer's head was not read to its end */
};

/* why  for DISPATCH_BAD_HEADER: static text, a few words; else NULL */
typedef void dispatch_notice_fn(void *context, enum dispatch_notice notice,
				const struct sockaddr *peer, const char *why);

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
	struct exit_counters *exits;
	dispatch_notice_fn *notice;
	void *context;
	void (*thread_begins)(void); /* called first in the new thread; may be NULL */
	/* Connections that were accepted before, and whose heads are looked at first. */
	const int *accepted; /* copied; the descriptors are taken over if the start succeeds */
	size_t accepted_count;
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
 * Set other rules, which apply from the next look at a connection on. The dispatcher takes a
 * reference of its own to the new rules, and drops its reference to the previous ones.
 */
void dispatcher_set_rules(struct dispatcher *dispatcher, const struct dispatch_rules *rules);

/*
 * Returns the number of connections whose head is not complete yet. May be called from any thread.
 */
uint32_t dispatcher_pending(const struct dispatcher *dispatcher);

/*
 * Stop a dispatcher, and free it. Connections in the queues of its sockets are accepted first.
 * Connections whose head is not complete are submitted with the peer's own address, as there is no
 * time left to wait. If a PROXY header is required, they are closed instead. Waits for the thread.
 * NULL is allowed.
 */
void dispatcher_stop(struct dispatcher *dispatcher);

/*
 * Stop a dispatcher, and free it, because another program takes this one's place on the same
 * sockets. The dispatcher stops accepting. Connections whose head is not complete are added to
 * `carried`. Their heads are still unread in the sockets, so that another dispatcher can begin with
 * them anew. Waits for the thread, which ends at once.
 *
 * Returns 0, or -ENOMEM: connections that could not be added are closed, and counted.
 */
int dispatcher_leave(struct dispatcher *dispatcher, struct carried *carried);

#endif
