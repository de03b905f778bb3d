/* SPDX-License-Identifier: MIT */
/* Listening sockets: resolving an address, checking that it is free, opening sockets. */
#ifndef STICKY_LIB_LISTENER_H
#define STICKY_LIB_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/address.h"

/* A listening address, ready to bind. */
struct listener {
	struct sockaddr_storage address;
	socklen_t length;
	bool dual_stack; /* [::] for IPv4 clients too */
	int backlog;	 /* connections */
};

/*
 * Look an address up. ":PORT" becomes dual-stack [::] where the machine has IPv6, else
 * 0.0.0.0.
 * Returns 0, or -ENOENT (the name has no address), or what socket(2) says. Blocks on
 * the name server where the host is a name.
 */
int listener_resolve(const struct listen_spec *spec, int backlog, struct listener *ret_listener);

/*
 * Is the address free? Tried by a bind(2) with SO_REUSEADDR alone. It fails where any socket
 * listens, that of another group of the same uid included; it succeeds where only TIME_WAIT
 * remains. Returns 0, -EADDRINUSE, or what bind(2) says.
 */
int listener_check_free(const struct listener *listener);

/*
 * Open a socket of the group: SO_REUSEADDR, SO_REUSEPORT, close-on-exec, bound, not yet listening.
 * Returns the descriptor or -errno.
 */
int listener_bind(const struct listener *listener);

/*
 * The same for a listener's first socket. Where the port is 0 the kernel chooses one, which is
 * filled in; the socket that is returned is then bound to that port explicitly. This is needed, as
 * the kernel clears a port that it chose itself when the socket is closed (inet_put_port(), unless
 * SOCK_BINDPORT_LOCK): the program could not tell which listener's queue it moves.
 */
int listener_bind_first(struct listener *listener);

/* listen(2), and lock the program that the socket inherited. Returns 0 or -errno. */
int listener_listen(const struct listener *listener, int fd);

/*
 * Lock the program of a socket (SO_LOCK_FILTER). A process that gets the socket could otherwise
 * attach a program of its own to the whole group, and take every connection. Returns 0 or -errno.
 */
int listener_lock(int fd);

/* Read the address of a bound socket, where the port was 0. Returns 0 or -errno. */
int listener_learn_port(struct listener *listener, int fd);

/*
 * Wake all threads that sleep on a listening socket, in accept(), poll() or epoll_wait(), edge-
 * triggered or not: they look at its queue again. Nothing else happens: shutdown(SHUT_WR) of a
 * listening socket changes no state, and calls sk_state_change() (inet_shutdown()). It works
 * through any descriptor of the socket, and also while its queue is full.
 */
void listener_wake(int fd);

/* The number of connections in a listening socket's accept queue, or -errno. */
int listener_queue(int fd);

/*
 * The number of SYNs that a listening socket dropped because its queue was full; 0 where unknown.
 */
uint32_t listener_overflows(int fd);

#endif
