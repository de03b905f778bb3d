// SPDX-License-Identifier: MIT
#include "handoff/channel_endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/timer.h"
#include "wire/fd_passing.h"

/*
 * The number of connections that may be sent to a worker before it accepts them. It is large enough
 * to keep the worker busy. It is small enough to fit the channel's buffer, which was seen to hold
 * 278 messages by default, and to limit how many connections a worker that hangs can keep.
 */
#define ON_THE_WAY_MAX 128

/* The number of messages that are handled in one turn of the loop, at most. */
#define READ_MAX 64

/*
 * The time after the end of a channel for which the `ended` callback waits. A process that ends
 * closes its channel first, and within this time the supervisor notices the end of the process.
 */
#define END_DELAY_MS 500

struct channel_endpoint {
	struct worker_endpoint *endpoint;
	int fd;
	bool speaks;
	channel_endpoint_hello_fn *hello;
	channel_endpoint_ended_fn *ended;
	void *context;
	struct event *after_end; /* timer of END_DELAY_MS, since the worker closed its end */
	struct event *readable;
	struct event *writable; /* pending while the channel is full */
};

static int pass(void *context, uint32_t id, const struct delivery_item *item)
{
	struct channel_endpoint *channel = context;
	struct channel_message message = {
		.version = CHANNEL_VERSION,
		.kind = CHANNEL_CONNECTION,
		.id = id,
		.source = item->source,
		.client = item->client,
	};
	int error = channel_send(channel->fd, &message, item->fd);

	if (error == -EAGAIN && event_add(channel->writable, NULL))
		error = -ENOBUFS;
	return error;
}

static const struct worker_endpoint_ops ops = {.send = pass};

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct channel_endpoint *channel = context;

	(void)fd;
	(void)what;
	worker_endpoint_resume(channel->endpoint);
}

static void hear(struct channel_endpoint *channel, const struct channel_message *message)
{
	if (message->kind == CHANNEL_ACCEPTED)
		worker_endpoint_accepted(channel->endpoint, message->id);
	else if (message->kind == CHANNEL_REFUSED)
		worker_endpoint_refused(channel->endpoint, message->id);
	else if (message->kind == CHANNEL_HELLO && !channel->speaks) {
		channel->speaks = true;
		if (channel->hello)
			channel->hello(channel->context);
	}
}

/*
 * Read one message. A worker may send anything: other bytes than a message of the channel are
 * ignored, and their descriptor is closed. Returns false if no message is left.
 */
static bool read_one(struct channel_endpoint *channel)
{
	struct channel_message message;
	int passed = -1, result = channel_receive(channel->fd, &message, &passed);

	if (passed >= 0)
		fd_passing_discard(passed);
	if (result == 1)
		hear(channel, &message);
	/* The worker closed its end, which epoll would report again and again. */
	if (result == 0 && channel->readable) {
		event_del(channel->readable);
		if (channel->ended)
			timer_start(channel->after_end, END_DELAY_MS);
	}
	return result == 1 || result == -EPROTO || result == -EMFILE;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct channel_endpoint *channel = context;
	int count;

	(void)fd;
	(void)what;
	for (count = 0; count < READ_MAX; count++)
		if (!read_one(channel))
			return;
}

static void on_after_end(evutil_socket_t fd, short what, void *context)
{
	struct channel_endpoint *channel = context;

	(void)fd;
	(void)what;
	if (channel->ended)
		channel->ended(channel->context);
}

void channel_endpoint_hear(struct channel_endpoint *channel)
{
	on_readable(channel->fd, EV_READ, channel);
}

int channel_endpoint_open(struct delivery *delivery, struct event_base *base, uint32_t slot, int fd,
			  channel_endpoint_hello_fn *hello, channel_endpoint_ended_fn *ended,
			  void *context, struct channel_endpoint **ret_channel)
{
	struct channel_endpoint *channel = calloc(1, sizeof(*channel));
	int error;

	if (!channel)
		return -ENOMEM;
	*channel = (struct channel_endpoint){
		.fd = -1, .hello = hello, .ended = ended, .context = context};
	error = worker_endpoint_open(delivery, slot, &ops, channel, ON_THE_WAY_MAX,
				     &channel->endpoint);
	if (!error) {
		channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
		channel->writable = event_new(base, fd, EV_WRITE, on_writable, channel);
		channel->after_end = evtimer_new(base, on_after_end, channel);
		if (!channel->readable || !channel->writable || !channel->after_end ||
		    event_add(channel->readable, NULL))
			error = -ENOMEM;
	}
	if (error) {
		channel_endpoint_close(channel);
		return error;
	}
	channel->fd = fd;
	*ret_channel = channel;
	return 0;
}

struct worker_endpoint *channel_endpoint_worker(const struct channel_endpoint *channel)
{
	return channel->endpoint;
}

bool channel_endpoint_speaks(const struct channel_endpoint *channel)
{
	return channel->speaks;
}

void channel_endpoint_set_speaks(struct channel_endpoint *channel)
{
	channel->speaks = true;
}

int channel_endpoint_fd(const struct channel_endpoint *channel)
{
	return channel->fd;
}

void channel_endpoint_close(struct channel_endpoint *channel)
{
	int rest;

	if (!channel)
		return;
	channel->hello = NULL;
	channel->ended = NULL;
	for (rest = 0; channel->fd >= 0 && rest < 4 * ON_THE_WAY_MAX && read_one(channel); rest++)
		;
	if (channel->readable)
		event_free(channel->readable);
	if (channel->writable)
		event_free(channel->writable);
	if (channel->after_end)
		event_free(channel->after_end);
	worker_endpoint_close(channel->endpoint);
	if (channel->fd >= 0)
		close(channel->fd);
	free(channel);
}
