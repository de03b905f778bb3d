/* SPDX-License-Identifier: MIT */
/* The process that has called bind() or listen(), and the socket of the call. */
#ifndef STICKY_BIND_BIND_CALLER_H
#define STICKY_BIND_BIND_CALLER_H

#include <stdbool.h>

#include "bind/bind_address.h"
#include "bind/bind_notify.h"

struct bind_caller {
	int socket; /* a duplicate of the caller's TCP socket; ours to close */
	int flags;  /* of open(2): O_NONBLOCK, and O_CLOEXEC of the caller's descriptor */
	struct bind_address address; /* of bind(): the address that is asked for */
};

/*
 * Look at the caller's socket, and at the address of its bind(). The caller may change both at any
 * time. This is harmless: they only decide whether the caller gets the socket that it may have
 * anyway.
 *
 * bytes, length  the address, as it was read from the caller's memory; unused for listen()
 *
 * Returns 0; or -errno: the descriptor is no TCP socket, the address is invalid, or one of them
 * can't be read.
 */
int bind_caller_open(const struct bind_call *call, const void *bytes, size_t length,
		     struct bind_caller *ret_caller);

/*
 * Close a duplicate of a worker's socket. If it is the last descriptor of a connection, SO_LINGER
 * is switched off first, as the close must not wait until all data is sent.
 */
void bind_close_duplicate(int fd);

/* Is the caller's descriptor `number` this socket of the controller? */
bool bind_caller_has(const struct bind_call *call, int number, int socket);

/* Do two descriptors refer to the same socket? */
bool bind_is_same_socket(int a, int b);

/* Is this an IPv6 socket, and is it one for IPv6 alone? */
bool bind_is_v6(int fd);
bool bind_is_only_v6(int fd);

/*
 * Copy the options that the worker has set on its own socket (buffer sizes, TCP_DEFER_ACCEPT,
 * keep-alive) to the socket that it gets, and O_NONBLOCK. An option that can't be copied keeps its
 * default.
 *
 * flags  of open(2): bind_caller.flags
 */
void bind_copy_options(int from, int to, int flags);

#endif
