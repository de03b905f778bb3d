/* SPDX-License-Identifier: MIT */
/* Listening sockets: looked up, checked, made. */
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
 * Is the address free? By a bind with SO_REUSEADDR alone, which fails when somebody
 * listens there, a group of our own uid included, and succeeds when only TIME_WAIT
 * remains.
 * Returns 0, -EADDRINUSE, or what bind(2) says.
 */
int listener_check_free(const struct listener *listener);

/*
 * A socket of the group, bound, not listening: SO_REUSEADDR, SO_REUSEPORT, close-on-exec.
 * Returns the descriptor or -errno.
 */
int listener_bind(const struct listener *listener);

/*
 * The same for a listener's first socket. Where the port is 0 the kernel chooses one, which is
 * filled in, and the socket that is returned is bound to that number: the kernel forgets the
 * port of a socket for which it chose one when the socket is closed (inet_put_port(), unless
 * SOCK_BINDPORT_LOCK), and the program would not know whose queue it moves.
 */
int listener_bind_first(struct listener *listener);

/* listen(2), and lock the program that the socket inherited. Returns 0 or -errno. */
int listener_listen(const struct listener *listener, int fd);

/* Take over what bind(2) filled in, where the port was 0. Returns 0 or -errno. */
int listener_learn_port(struct listener *listener, int fd);

/*
 * Wake whoever sleeps on a listening socket, in accept(), poll() or epoll_wait(), edge-triggered
 * ones included: they look at its queue again. Nothing else happens: shutdown(SHUT_WR) of a
 * listening socket changes no state and ends in sk_state_change() (inet_shutdown()). It works
 * through any descriptor of the socket, and whether or not its queue is full.
 */
void listener_wake(int fd);

/* Connections that wait in a listening socket's accept queue. Returns them or -errno. */
int listener_queue(int fd);

/* SYNs that a listening socket dropped, its queue being full. 0 where unknown. */
uint32_t listener_overflows(int fd);

#endif
