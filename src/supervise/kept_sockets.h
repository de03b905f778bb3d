/* SPDX-License-Identifier: MIT */
/*
 * Shuts down the listening sockets of workers that have ended, if another process still has them
 * open. Such a process was started by the worker, has inherited the descriptor, and has left the
 * worker's process group. The kernel moves the queue of a socket when its last descriptor is
 * closed: the clients in the queue would wait for as long as that process runs. When the socket is
 * shut down, the kernel moves the queue at once.
 */
#ifndef STICKY_SUPERVISE_KEPT_SOCKETS_H
#define STICKY_SUPERVISE_KEPT_SOCKETS_H

struct kept_sockets;
struct supervisor;
struct worker;
struct worker_record; /* state_file.h */

/* Make the object. Returns 0 or -ENOMEM. kept_sockets_close() frees it. */
int kept_sockets_open(struct supervisor *supervisor, struct kept_sockets **ret_kept);

/*
 * Look a last time for the sockets of all workers that were added, and free the object. NULL is
 * allowed.
 */
void kept_sockets_close(struct kept_sockets *kept);

/*
 * Look, about 10 ms from now, whether a socket of a worker that has ended still listens, and shut
 * it down. If memory is short, this is logged, and not done.
 *
 * worker  is not used after the call
 */
void kept_sockets_look_later(struct kept_sockets *kept, const struct worker *worker);

/* Do the same for a worker of a previous controller, if it ended while no controller was alive. */
void kept_sockets_look_for_record(struct kept_sockets *kept, const struct worker_record *record);

#endif
