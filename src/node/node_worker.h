/* SPDX-License-Identifier: MIT */
/*
 * One Node.js worker, whose cluster primary is the controller. The worker asks for sockets, and
 * says when it listens; the controller passes connections to it, and asks it to finish.
 */
#ifndef STICKY_NODE_NODE_WORKER_H
#define STICKY_NODE_NODE_WORKER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "handoff/delivery.h"
#include "node/relay.h"
#include "node/node_listeners.h"
#include "node/unheard.h"
#include "supervise/worker.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_messages.h"

struct node_worker;

struct node_worker_options {
	const struct config *config;
	struct event_base *base;
	struct worker *worker;
	struct node_listeners *ports;
	struct relay *relay;	   /* passes messages between the workers */
	struct unheard *unheard;   /* notes messages without a receiver, of all workers */
	struct delivery *delivery; /* NULL: no connections are passed */
	/* The worker has closed its channel. */
	void (*ended)(void *context);
	void *context;
};

/*
 * Open the channel of a worker that is about to be started.
 *
 * ret_child_end  the worker's end of the channel; closed by the caller
 *
 * Returns 0 or -errno.
 */
int node_worker_open(const struct node_worker_options *options, int *ret_child_end,
		     struct node_worker **ret_node);

/*
 * Continue with a worker that a previous controller started.
 *
 * fd  the controller's end of the channel; taken over if this succeeds
 *
 * Returns 0 or -errno.
 */
int node_worker_adopt(const struct node_worker_options *options, int fd,
		      struct node_worker **ret_node);

/* Returns the controller's end of the channel, which the worker process must inherit, too. */
int node_worker_fd(const struct node_worker *node);

/* Returns the number of passed connections that the worker has not answered yet. */
uint32_t node_worker_on_the_way(const struct node_worker *node);

/* Do messages wait in this process, as the worker has not read earlier ones? */
bool node_worker_has_unsent(const struct node_worker *node);

/* Has the worker closed its channel? Such a worker is about to end, or gets no more messages. */
bool node_worker_has_ended(const struct node_worker *node);

/*
 * Tell the worker that it is about to be asked to finish: from now on it answers each request with
 * `Connection: close`.
 *
 * idle_ms  how long idle connections stay open. If the message is lost, they are closed at once
 */
void node_worker_leave(struct node_worker *node, uint32_t idle_ms);

/*
 * Ask the worker to finish its connections and to exit.
 *
 * stop  tells when the application's own handler of a signal runs; NULL: it is not run
 *
 * Returns false if the worker can't be asked.
 */
bool node_worker_disconnect(struct node_worker *node, const struct cluster_stop *stop);

/*
 * Does the worker itself run the application's handler of the stop signal? It does if
 * node_worker_disconnect() told it when, unless it has answered that the application has no such
 * handler.
 */
bool node_worker_runs_handler(const struct node_worker *node);

/* Does the application handle the end of its channel? */
bool node_worker_handles_disconnect(const struct node_worker *node);

/* Tell the other workers that the worker's process has ended. NULL is allowed. */
void node_worker_ended(struct node_worker *node);

/* Close the channel, and take back the connections that were not accepted. NULL is allowed. */
void node_worker_close(struct node_worker *node);

#endif
