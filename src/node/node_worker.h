/* SPDX-License-Identifier: MIT */
/*
 * One Node.js worker: we are its cluster primary. It asks for sockets, and says when it listens;
 * we pass it connections, and ask it to finish.
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
#include "supervise/worker.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_messages.h"

struct node_worker;

struct node_worker_options {
	const struct config *config;
	struct event_base *base;
	struct worker *worker;
	struct nodeports *ports;
	struct relay *relay;	   /* between the workers */
	struct delivery *delivery; /* NULL: nothing is passed on */
};

/*
 * A worker that is about to be started.
 *
 * ret_child_end  its end of the channel, the caller's
 *
 * Returns 0 or -errno.
 */
int node_worker_open(const struct node_worker_options *options, int *ret_child_end,
		     struct node_worker **ret_node);

/*
 * One that a former controller began.
 *
 * fd  our end of the channel; taken over where this succeeds
 *
 * Returns 0 or -errno.
 */
int node_worker_adopt(const struct node_worker_options *options, int fd,
		      struct node_worker **ret_node);

/* Our end of the channel, to be inherited: it must stay open in the worker. */
int node_worker_fd(const struct node_worker *node);

/* Connections that it was passed and has not answered yet. */
uint32_t node_worker_on_the_way(const struct node_worker *node);

/* It has closed its channel: it is about to end, or can't be told anything any more. */
bool node_worker_has_ended(const struct node_worker *node);

/* Finish what you have, and go. Returns false where it can't be told any more. */
bool node_worker_disconnect(struct node_worker *node);

/* Its process is gone: the other workers are told. NULL is allowed. */
void node_worker_ended(struct node_worker *node);

/* NULL is allowed. */
void node_worker_close(struct node_worker *node);

#endif
