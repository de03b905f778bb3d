/* SPDX-License-Identifier: MIT */
/*
 * Does this kernel wake an acceptor that sleeps on a moved queue?
 *
 * When a listening socket is closed the kernel moves its queue to the slot's present socket, but
 * many kernels do not tell a process that sleeps in epoll_wait() or accept() there (fixed by
 * "tcp: call sk_data_ready() after listener migration"): what was moved waits for the next
 * connection to come. On such a kernel the library wakes the acceptor: see listener_wake().
 */
#ifndef STICKY_LIB_WAKE_H
#define STICKY_LIB_WAKE_H

#include "lib/steering.h"

/*
 * Find out by moving a connection: on a loopback address, with a listener that is removed again.
 *
 * steering  open; its counters change
 *
 * Returns 1 (yes), 0 (no), or -errno where it could not be tried (there is no loopback interface).
 */
int wake_probe(struct steering *steering);

#endif
