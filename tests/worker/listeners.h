/* SPDX-License-Identifier: MIT */
/* The inherited listening sockets: sd_listen_fds(3). */
#ifndef TESTS_WORKER_LISTENERS_H
#define TESTS_WORKER_LISTENERS_H

#include "worker.h"

/* Open what --bind names; else take what LISTEN_FDS and LISTEN_PID announce. Exits where it can't.
 */
void listeners_take(struct worker *worker);

/* Let each loop accept from each socket. */
void listeners_accept(struct worker *worker);

/*
 * This loop accepts no more; the last loop closes the sockets. Closing is how a worker stops
 * accepting: the kernel then moves what is queued to the slot's next worker. The sockets are taken
 * out of epoll before that: the controller has duplicates of them, so that closing alone would
 * leave them there for good.
 */
void listeners_close(struct loop *loop);

#endif
