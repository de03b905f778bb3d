/* SPDX-License-Identifier: MIT */
/* The channel by which connections are passed to a worker (wire/channel.h). */
#ifndef STICKY_SUPERVISE_WORKER_CHANNEL_H
#define STICKY_SUPERVISE_WORKER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

struct worker_endpoint;
struct worker;

#define WORKER_CHANNEL_ENDS 2

/*
 * Get the ends of the channel that a worker's process must inherit. Both stay open here.
 *
 * ret_ends  the process's own end, and the controller's end. The process keeps the latter for a
 *           controller that takes over
 *
 * Returns false if there is no channel, or its process has it already.
 */
bool worker_channel_ends(const struct worker *worker, int ret_ends[WORKER_CHANNEL_ENDS]);

/*
 * Open the channel of an adopted worker.
 *
 * fd  the controller's end; taken over on success
 *
 * Returns 0 or -errno; -EOPNOTSUPP: this instance passes no connections.
 */
int worker_adopt_channel(struct worker *worker, int fd);

/* Note that the worker takes passed connections through this endpoint, which stays the caller's. */
void worker_takes_passed(struct worker *worker, struct worker_endpoint *endpoint);

/*
 * Open the channel of a worker that is about to start. Does nothing if no connections are passed,
 * or if its command is Node.js, which has a channel of its own.
 *
 * Returns 0 or -errno.
 */
int worker_open_channel(struct worker *worker);

/* Close the controller's copy of the process's end. A worker without a channel is allowed. */
void worker_close_channel_end(struct worker *worker);

/* Returns true if the worker takes passed connections, or if this instance passes none. */
bool worker_channel_speaks(struct worker *worker);

/* Send the slot's connections to the worker from now on. Does nothing if it takes none. */
void worker_channel_take_slot(struct worker *worker);

/* Send no more of the slot's connections to the worker. Does nothing if it takes none. */
void worker_channel_leave_slot(struct worker *worker);

/* Returns how many connections wait for the worker, or are on their way to it. */
uint32_t worker_channel_queue(const struct worker *worker);

#endif
