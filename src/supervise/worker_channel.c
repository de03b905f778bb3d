// SPDX-License-Identifier: MIT
/*
 * Workers to which connections are passed: each has a channel, by which it gets its slot's
 * connections.
 */
#include "supervise/worker_channel.h"

#include <errno.h>
#include <unistd.h>

#include "common/log.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"

/*
 * Note that the worker has announced that it takes connections. This may have been the last
 * condition for READY.
 */
static void on_hello(void *context)
{
	struct worker *worker = context;

	worker_takes_passed(worker, channel_endpoint_worker(worker->channel));
	if (supervisor_of(worker)->config->ready == READY_STARTED)
		worker_become_ready(worker);
}

void worker_takes_passed(struct worker *worker, struct worker_endpoint *endpoint)
{
	worker->endpoint = endpoint;
	/*
	 * Workers of sticky-listen and sticky-cluster acknowledge connections in order, not by id.
	 */
	if (config_worker_mode(supervisor_of(worker)->config) <= WORKER_NODE)
		worker_endpoint_name(endpoint, worker->generation);
	if (worker->record)
		worker->record->takes_passed = true;
}

/* Replace the worker, as one whose listening sockets have ended: see worker_on_hangup(). */
static void on_ended(void *context)
{
	struct worker *worker = context;

	if (worker->state != WORKER_READY)
		return;
	report(STICKY_LOG_ERROR, "channel_ended", "slot=%u so=\"the worker is replaced\"",
	       worker->slot->index);
	worker_end_because(worker, END_CHANNEL_CLOSED);
	worker_apply(worker, WORKER_FELL_SILENT);
}

static int open_endpoint(struct worker *worker, int fd)
{
	const struct supervisor_options *options = &supervisor_of(worker)->options;

	return channel_endpoint_open(options->delivery, options->base, worker->slot->index, fd,
				     on_hello, on_ended, worker, &worker->channel);
}

int worker_open_channel(struct worker *worker)
{
	int ends[2], error;

	if (!supervisor_of(worker)->options.delivery ||
	    config_is_node(supervisor_of(worker)->config))
		return 0;
	error = channel_pair(ends);
	if (error)
		return error;
	error = open_endpoint(worker, ends[0]);
	if (error) {
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	worker->channel_end = ends[1];
	return 0;
}

void worker_close_channel_end(struct worker *worker)
{
	if (worker->channel_end >= 0)
		close(worker->channel_end);
	worker->channel_end = -1;
}

bool worker_channel_ends(const struct worker *worker, int ret_ends[WORKER_CHANNEL_ENDS])
{
	if (!worker->channel || worker->channel_end < 0)
		return false;
	ret_ends[0] = worker->channel_end;
	ret_ends[1] = channel_endpoint_fd(worker->channel);
	return true;
}

int worker_adopt_channel(struct worker *worker, int fd)
{
	if (!supervisor_of(worker)->options.delivery)
		return -EOPNOTSUPP;
	return open_endpoint(worker, fd);
}

bool worker_channel_speaks(struct worker *worker)
{
	if (!supervisor_of(worker)->options.delivery)
		return true;
	/* The worker's announcement may have arrived together with the message that it is ready. */
	if (worker->channel)
		channel_endpoint_hear(worker->channel);
	return worker->endpoint != NULL;
}

void worker_channel_take_slot(struct worker *worker)
{
	if (worker->endpoint)
		worker_endpoint_take_slot(worker->endpoint);
}

void worker_channel_leave_slot(struct worker *worker)
{
	if (worker->endpoint)
		worker_endpoint_leave_slot(worker->endpoint);
}

uint32_t worker_channel_queue(const struct worker *worker)
{
	struct delivery *delivery = supervisor_of(worker)->options.delivery;

	if (!delivery || !worker->endpoint)
		return 0;
	return delivery_waiting_of(delivery, worker->slot->index) +
	       worker_endpoint_on_the_way(worker->endpoint);
}
