/* SPDX-License-Identifier: MIT */
/* Who has called bind() or listen(), and on which socket. */
#ifndef STICKY_BIND_BIND_CALLER_H
#define STICKY_BIND_BIND_CALLER_H

#include <stdbool.h>

#include "bind/bind_address.h"
#include "bind/bind_notify.h"

struct bind_caller {
	int socket; /* a duplicate of the caller's TCP socket; ours to close */
	int flags;  /* of open(2): O_NONBLOCK, and O_CLOEXEC of the caller's descriptor */
	struct bind_address address; /* of bind(): the one that is asked for */
};

/*
 * Look at the caller's socket, and at the address of its bind(). It may change both at any time:
 * what is read decides only whether it gets the socket that it is to have anyway.
 *
 * bytes, length  the address, as it was read from the caller's memory; unused for listen()
 *
 * Returns 0; or -errno: it is no TCP socket, or no such address, or can't be looked at.
 */
int bind_caller_open(const struct bind_call *call, const void *bytes, size_t length,
		     struct bind_caller *ret_caller);

/*
 * Close a duplicate of a worker's socket. If it is the last one, the close must not wait for what
 * is still to be sent: of a connection SO_LINGER is taken off.
 */
void bind_close_duplicate(int fd);

/* Is this socket of ours what the caller has at a number? */
bool bind_caller_has(const struct bind_call *call, int number, int socket);

/* Are two descriptors the same socket? */
bool bind_is_same_socket(int a, int b);

/* Is it an IPv6 socket; and is it one for IPv6 alone? */
bool bind_is_v6(int fd);
bool bind_is_only_v6(int fd);

/*
 * Copy what the worker has set on its own socket (buffer sizes, TCP_DEFER_ACCEPT, keep-alive) to
 * the one that it gets, and O_NONBLOCK. What can't be copied keeps its default.
 */
void bind_copy_options(int from, int to, int flags);

#endif
