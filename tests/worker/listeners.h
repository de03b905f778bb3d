/* SPDX-License-Identifier: MIT */
/* The inherited listening sockets: sd_listen_fds(3). */
#ifndef TESTS_WORKER_LISTENERS_H
#define TESTS_WORKER_LISTENERS_H

#include "worker.h"

/*
 * Open what --bind names; else take the sockets that LISTEN_FDS and LISTEN_PID announce. Exit if
 * there are none.
 */
void listeners_take(struct worker *worker);

/* Let each loop accept from each socket. */
void listeners_accept(struct worker *worker);

/*
 * This loop stops accepting. The last loop closes the sockets, after which the kernel moves their
 * queues to the slot's next worker. The sockets are taken out of epoll before: the controller has
 * duplicates of them, and they would stay in the epoll set otherwise.
 */
void listeners_close(struct loop *loop);

#endif
