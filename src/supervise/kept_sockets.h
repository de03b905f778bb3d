/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets of workers that have ended, which another process still has open: a program
 * that the worker started, that inherited the descriptor, and that has left the worker's process
 * group. The kernel moves the queue of a socket when its last descriptor is closed, so that the
 * clients in it would wait for as long as that program runs. The socket is shut down instead: then
 * the kernel moves the queue at once.
 */
#ifndef STICKY_SUPERVISE_KEPT_SOCKETS_H
#define STICKY_SUPERVISE_KEPT_SOCKETS_H

struct kept_sockets;
struct supervisor;
struct worker;
struct worker_record; /* state_file.h */

/* Returns 0 or -ENOMEM. kept_sockets_close() frees it. */
int kept_sockets_open(struct supervisor *supervisor, struct kept_sockets **ret_kept);

/* Look a last time for the sockets of all workers that are in it, and free it. NULL is allowed. */
void kept_sockets_close(struct kept_sockets *kept);

/*
 * A worker has ended: look, about 10 ms from now, whether one of its listening sockets still
 * listens, and shut it down. Where memory is short, this is logged, and not done.
 *
 * worker  is not used after the call
 */
void kept_sockets_look_later(struct kept_sockets *kept, const struct worker *worker);

/* The same for a worker of a previous controller, which has ended while there was no controller. */
void kept_sockets_look_for_record(struct kept_sockets *kept, const struct worker_record *record);

#endif
