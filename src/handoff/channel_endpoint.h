/* SPDX-License-Identifier: MIT */
/* The endpoint of a worker that receives connections over a channel: wire/channel.h. */
#ifndef STICKY_HANDOFF_CHANNEL_ENDPOINT_H
#define STICKY_HANDOFF_CHANNEL_ENDPOINT_H

#include "handoff/delivery.h"

struct channel_endpoint;

/* Handle the worker's announcement that it accepts passed connections (CHANNEL_HELLO). */
typedef void channel_endpoint_hello_fn(void *context);

/*
 * Handle the end of the channel: the worker has closed its end, and still runs. No connection can
 * be passed to it any more.
 */
typedef void channel_endpoint_ended_fn(void *context);

/*
 * Open the endpoint of a worker.
 *
 * fd     the controller's end of the channel; taken over on success
 * hello  called once, when the worker has announced itself; may be NULL
 * ended  called once, a moment after the worker has closed its end; may be NULL
 *
 * Returns 0 or -errno.
 */
int channel_endpoint_open(struct delivery *delivery, struct event_base *base, uint32_t slot, int fd,
			  channel_endpoint_hello_fn *hello, channel_endpoint_ended_fn *ended,
			  void *context, struct channel_endpoint **ret_channel);

struct worker_endpoint *channel_endpoint_worker(const struct channel_endpoint *channel);

/* Handle the messages that have arrived, without waiting for the event loop. */
void channel_endpoint_hear(struct channel_endpoint *channel);

/* Has the worker announced itself? */
bool channel_endpoint_speaks(const struct channel_endpoint *channel);

/* Note that the worker announced itself to the previous controller. */
void channel_endpoint_set_speaks(struct channel_endpoint *channel);

/*
 * Returns the controller's end. The worker inherits it as well, so that the channel survives the
 * controller.
 */
int channel_endpoint_fd(const struct channel_endpoint *channel);

/* Handle the last messages of a worker that has ended, and free the endpoint. NULL is allowed. */
void channel_endpoint_close(struct channel_endpoint *channel);

#endif
