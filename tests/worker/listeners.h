/* SPDX-License-Identifier: MIT */
/*
 * The worker's listening sockets: those that it inherited (sd_listen_fds(3)), or those of --bind.
 */
#ifndef TESTS_WORKER_LISTENERS_H
#define TESTS_WORKER_LISTENERS_H

#include "worker.h"

/*
 * Open the sockets that --bind names. Without --bind, take the sockets that LISTEN_FDS and
 * LISTEN_PID announce. Exit if there are none.
 */
void listeners_take(struct worker *worker);

/* Let each loop accept from each socket. */
void listeners_accept(struct worker *worker);

/*
 * Stop accepting in this loop. The last loop closes the sockets. The kernel then moves their queues
 * to the slot's next worker. Before that, the sockets are removed from epoll: they would stay in
 * the epoll set otherwise, as the controller has duplicates of them.
 */
void listeners_close(struct loop *loop);

#endif
