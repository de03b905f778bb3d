/* SPDX-License-Identifier: MIT */
/* The endpoint of a worker that takes connections over a channel: lib/channel.h. */
#ifndef STICKY_HANDOFF_CHANNEL_ENDPOINT_H
#define STICKY_HANDOFF_CHANNEL_ENDPOINT_H

#include "handoff/delivery.h"

struct channel_endpoint;

/* The worker has said that it takes passed connections. */
typedef void channel_endpoint_hello_fn(void *context);

/* Its end is closed, and it lives: nothing can be passed to it any more. */
typedef void channel_endpoint_ended_fn(void *context);

/*
 * fd     the controller's end; taken over where this succeeds
 * hello  called once, when the worker has said so; may be NULL
 * ended  called once, a moment after the worker's end was closed; may be NULL
 *
 * Returns 0 or -errno.
 */
int channel_endpoint_open(struct delivery *delivery, struct event_base *base, uint32_t slot, int fd,
			  channel_endpoint_hello_fn *hello, channel_endpoint_ended_fn *ended,
			  void *context, struct channel_endpoint **ret_channel);

struct worker_endpoint *channel_endpoint_worker(const struct channel_endpoint *channel);

/* Hear now what it has said by now. */
void channel_endpoint_hear(struct channel_endpoint *channel);

/* Has it said so? */
bool channel_endpoint_speaks(const struct channel_endpoint *channel);

/* It had said so to a former controller. */
void channel_endpoint_set_speaks(struct channel_endpoint *channel);

/* The controller's end, to be inherited: it must stay open in the worker. */
int channel_endpoint_fd(const struct channel_endpoint *channel);

/* The worker is gone. What it said last is heard first. NULL is allowed. */
void channel_endpoint_close(struct channel_endpoint *channel);

#endif
