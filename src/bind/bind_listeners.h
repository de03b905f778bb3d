/* SPDX-License-Identifier: MIT */
/*
 * The listeners of a group, for workers that bind their address themselves. Without -l the first
 * TCP address that a worker binds becomes a listener, and so do other addresses of the same port.
 */
#ifndef STICKY_BIND_BIND_LISTENERS_H
#define STICKY_BIND_BIND_LISTENERS_H

#include <stdbool.h>

#include "bind/bind_address.h"
#include "sticky.h"

struct bind_listeners_options {
	struct sticky_group *group;
	bool gives_sockets;	/* workers also get the listeners' sockets, as LISTEN_FDS */
	bool is_named;		/* -l names the listeners: no other address is steered */
	bool may_bind_any_port; /* workers may bind ports below 1024 */
	/* A listener was added to the group. */
	void (*added)(void *context);
	void *context;
};

struct bind_listeners {
	struct bind_listeners_options options;
	struct bind_address addresses[STICKY_LISTENERS_LIMIT];
	uint32_t count; /* number of `addresses` that are known */
	uint32_t wider; /* listeners of which bind_listeners_say_wider() has warned, one bit each */
};

/*
 * Find the listener whose address a bind() asks for. Without -l the address is added as a listener
 * if it is the first one, or has the port of the first one.
 *
 * sockets  the worker's; NULL: it has left its slot, and nothing is added
 * bound    the listeners that the worker has bound, one bit each
 *
 * Returns the index of the listener; -ENOENT: no listener has this address, and the kernel does the
 * bind(); or another -errno, with which the worker's bind() fails.
 */
int bind_listeners_find(struct bind_listeners *listeners, const struct sticky_worker *sockets,
			const struct bind_address *asked, uint32_t bound);

/*
 * Warn once for each listener that a worker has asked for one address, and -l has opened all: a
 * server that was for this machine alone is open to all others.
 */
void bind_listeners_say_wider(struct bind_listeners *listeners, const struct bind_address *asked,
			      uint32_t listener);

/* Read the address to which a TCP socket is bound. Returns 0 or -errno. */
int bind_listeners_read(int fd, struct bind_address *ret_address);

/* Returns the set of all listeners, one bit each. */
uint32_t bind_listeners_all(const struct bind_listeners *listeners);

/* Write the addresses that are not in a set, "127.0.0.1:80, [::1]:80"; "": none. */
void bind_listeners_missing(const struct bind_listeners *listeners, uint32_t set, size_t size,
			    char *ret_text);

#endif
