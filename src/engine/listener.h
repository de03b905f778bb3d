/* SPDX-License-Identifier: MIT */
/* Listening sockets: resolving an address, checking that it is free, opening sockets. */
#ifndef STICKY_ENGINE_LISTENER_H
#define STICKY_ENGINE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/address.h"
#include "sticky.h"

/* The host's function that sets options of a socket before bind(2): see sticky_prepare_fn. */
struct preparation {
	sticky_prepare_fn *fn; /* NULL: none */
	void *context;
	uint32_t listener; /* index of the listener */
};

/* A listening address, ready to bind. */
struct listener {
	struct preparation preparation;
	struct sockaddr_storage address;
	socklen_t length;
	uint32_t device; /* index of the interface that its sockets are bound to; 0: any */
	bool dual_stack; /* [::], which accepts IPv4 clients, too */
	int backlog;	 /* connections */
};

/*
 * Look an address up. ":PORT" becomes dual-stack [::] if the machine has IPv6, else 0.0.0.0.
 * Returns 0, -ENOENT (the name has no address), or an error of socket(2). If the host is a name,
 * the call blocks on the name server.
 */
int listener_resolve(const struct listen_spec *spec, int backlog, struct listener *ret_listener);

/*
 * Check that an address is free, by a bind(2) with SO_REUSEADDR alone. It fails if any socket
 * listens there, even one of another group of the same uid. It succeeds if only connections in
 * TIME_WAIT remain. Returns 0, -EADDRINUSE, or another error of bind(2).
 */
int listener_check_free(const struct listener *listener);

/*
 * Open a socket of the group: bound, with SO_REUSEADDR and SO_REUSEPORT, close-on-exec, not
 * listening yet. Returns the descriptor or -errno.
 */
int listener_bind(const struct listener *listener);

/*
 * Open a listener's first socket, as listener_bind() does. The device that the host has bound it to
 * is filled in. If the port is 0, the kernel chooses a port, which is filled in, too.
 *
 * The socket that is returned is bound to that port explicitly. When a socket is closed, the kernel
 * clears a port that it chose itself (inet_put_port(), unless SOCK_BINDPORT_LOCK). The program
 * could then not tell which listener's queue it moves.
 */
int listener_bind_first(struct listener *listener);

/* Call listen(2), and lock the program that the socket inherited. Returns 0 or -errno. */
int listener_listen(const struct listener *listener, int fd);

/*
 * Lock the program of a socket (SO_LOCK_FILTER). A process that gets the socket could otherwise
 * attach a program of its own to the whole group, and take every connection. Returns 0 or -errno.
 */
int listener_lock(int fd);

/* Returns true if the socket has SO_LOCK_FILTER. All listening sockets of groups have it. */
bool listener_is_locked(int fd);

/*
 * Read the index of the interface that a socket is bound to (SO_BINDTODEVICE, or a link-local
 * address). The index is 0 if there is none, and before Linux 5.0, which does not tell it. Returns
 * 0 or -errno.
 */
int listener_read_device(int fd, uint32_t *ret_device);

/* Read the address and the device of a bound socket into the listener. Returns 0 or -errno. */
int listener_learn(struct listener *listener, int fd);

/*
 * Returns true if two listeners have the same address, port and device. IPV6_V6ONLY does not tell
 * them apart, as the program does not know it (struct sticky_listener_key).
 */
bool listener_is_same(const struct listener *a, const struct listener *b);

/*
 * Wake all threads that sleep on a listening socket, in accept(), poll() or epoll_wait(),
 * edge-triggered or not, so that they look at its queue again. Nothing else happens, as
 * shutdown(SHUT_WR) of a listening socket changes no state, and calls sk_state_change()
 * (inet_shutdown()). It works through any descriptor of the socket, and also while its queue is
 * full.
 */
void listener_wake(int fd);

/* Accept and reset all connections that wait in a listening socket, which is non-blocking. */
void listener_reset_all(int fd);

/* Returns the number of connections in a listening socket's accept queue, or -errno. */
int listener_queue(int fd);

/*
 * Returns the number of SYNs that a listening socket dropped because its queue was full; 0 if it is
 * not known.
 */
uint32_t listener_overflows(int fd);

#endif
