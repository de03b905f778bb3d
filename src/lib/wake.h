/* SPDX-License-Identifier: MIT */
/*
 * Waking an acceptor that sleeps on a moved queue.
 *
 * When a listening socket is closed the kernel moves its queue to the slot's present
 * socket, but many kernels (6.1 among them) do not tell a process that sleeps in
 * epoll_wait() or accept() there: what was moved waits for the next connection to come.
 * On such a kernel the library makes that next connection itself, and closes it.
 */
#ifndef STICKY_LIB_WAKE_H
#define STICKY_LIB_WAKE_H

#include <sys/socket.h>

#include "steering.h"

/*
 * Does this kernel wake a sleeping acceptor for a moved connection? Found out by doing
 * it, on a loopback address, with a listener of its own that is removed again.
 *
 * steering  open; the counters move
 *
 * Returns 1 yes, 0 no, or -errno where it could not be tried (no loopback interface).
 */
int wake_probe(struct steering *steering);

/*
 * Wake the acceptor of a slot: one connection, closed at once. The worker sees a client
 * that says nothing.
 *
 * listener  the listener's bound address; a wildcard is reached by loopback
 *
 * Returns 0 or -errno. Does not block.
 */
int wake_slot(struct steering *steering, const struct sockaddr *listener, socklen_t length,
	      uint32_t slot);

#endif
