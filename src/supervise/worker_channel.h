/* SPDX-License-Identifier: MIT */
/* The channel by which connections are passed to a worker (wire/channel.h), and its slot's share.
 */
#ifndef STICKY_SUPERVISE_WORKER_CHANNEL_H
#define STICKY_SUPERVISE_WORKER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

struct worker_endpoint;
struct worker;

#define WORKER_CHANNEL_ENDS 2

/*
 * The channel that a worker's process is to have.
 *
 * ret_ends  the process's own end, and ours, which the process keeps for a controller that takes
 *           over; both stay open here
 *
 * Returns false where there is none, or its process has it already.
 */
bool worker_channel_ends(const struct worker *worker, int ret_ends[WORKER_CHANNEL_ENDS]);

/*
 * Our end of the channel of an adopted worker.
 *
 * fd  taken over on success
 *
 * Returns 0 or -errno; -EOPNOTSUPP: no connections are passed here.
 */
int worker_adopt_channel(struct worker *worker, int fd);

/* The worker takes passed connections by this outlet, which stays the caller's. */
void worker_takes_passed(struct worker *worker, struct worker_endpoint *outlet);

/*
 * Open the channel of a worker that begins. Nothing where no connections are passed, or its
 * command is Node.js, which has a channel of its own.
 *
 * Returns 0 or -errno.
 */
int worker_open_channel(struct worker *worker);

/* Close our copy of the process's end. A worker without a channel is allowed. */
void worker_close_channel_end(struct worker *worker);

/* Returns true where the worker takes passed connections, or none are passed here. */
bool worker_channel_speaks(struct worker *worker);

/* Send the slot's connections to the worker from now on. Nothing where it takes none. */
void worker_channel_take_slot(struct worker *worker);

/* Send it no more of them. Nothing where it takes none. */
void worker_channel_leave_slot(struct worker *worker);

/* Returns how many connections wait for it, or are on their way to it. */
uint32_t worker_channel_queue(const struct worker *worker);

#endif
