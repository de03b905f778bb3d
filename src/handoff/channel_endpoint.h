/* SPDX-License-Identifier: MIT */
/* The outlet of a worker that takes connections over a channel: lib/channel.h. */
#ifndef STICKY_HANDOFF_CHANNEL_ENDPOINT_H
#define STICKY_HANDOFF_CHANNEL_ENDPOINT_H

#include "handoff/delivery.h"

struct channel_outlet;

/* The worker has said that it takes passed connections. */
typedef void channel_outlet_hello_fn(void *context);

/* Its end is closed, and it lives: nothing can be passed to it any more. */
typedef void channel_outlet_ended_fn(void *context);

/*
 * fd     the controller's end; taken over where this succeeds
 * hello  called once, when the worker has said so; may be NULL
 * ended  called once, a moment after the worker's end was closed; may be NULL
 *
 * Returns 0 or -errno.
 */
int channel_outlet_open(struct delivery *delivery, struct event_base *base, uint32_t slot, int fd,
			channel_outlet_hello_fn *hello, channel_outlet_ended_fn *ended,
			void *context, struct channel_outlet **ret_channel);

struct outlet *channel_outlet_outlet(const struct channel_outlet *channel);

/* Hear now what it has said by now. */
void channel_outlet_hear(struct channel_outlet *channel);

/* Has it said so? */
bool channel_outlet_speaks(const struct channel_outlet *channel);

/* It had said so to a former controller. */
void channel_outlet_set_speaks(struct channel_outlet *channel);

/* The controller's end, to be inherited: it must stay open in the worker. */
int channel_outlet_fd(const struct channel_outlet *channel);

/* The worker is gone. What it said last is heard first. NULL is allowed. */
void channel_outlet_close(struct channel_outlet *channel);

#endif
