// SPDX-License-Identifier: MIT
#include "node/node_worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/node_worker_internal.h"
#include "common/log.h"

static void on_online(struct node_worker *node)
{
	node->is_online = true;
	node_note_why_not_ready(node);
	if (node_is_of_module(node))
		worker_takes_passed(node->options.worker, node->endpoint);
	/* A worker written for sticky-listen may send nothing more. */
	worker_said(node->options.worker,
		    config_worker_mode(node->options.config) == WORKER_STICKY_LISTEN
			    ? WORKER_SAYS_BEGUN
			    : WORKER_SAYS_NOTHING_KNOWN);
}

/* ---- Messages of the worker ------------------------------------------------------ */

static void on_message(struct node_worker *node, const json_t *message)
{
	struct cluster_event event;

	cluster_read(message, &event);
	switch (event.kind) {
	case CLUSTER_ONLINE:
		on_online(node);
		break;
	case CLUSTER_QUERY:
		node_on_query(node, &event);
		break;
	case CLUSTER_LISTENING:
		node_on_listening(node, &event);
		break;
	case CLUSTER_ANSWER:
		node_on_answer(node, &event);
		break;
	case CLUSTER_HANDLE_TAKEN:
		node_on_handle_taken(node);
		break;
	case CLUSTER_HANDLE_LOST:
		node_on_handle_lost(node);
		break;
	case CLUSTER_LEAVING:
		/*
		 * CLUSTER_LEAVING has the same effect as STOPPING=1: the slot's next worker starts
		 * now.
		 */
		node_send(node, cluster_acknowledge(event.seq, node->seq++), -1, 0);
		worker_said(node->options.worker, WORKER_SAYS_STOPS);
		break;
	case CLUSTER_SAYS_READY:
		worker_said(node->options.worker, WORKER_SAYS_MESSAGE);
		if (node->late)
			late_listeners_look(node->late);
		break;
	case CLUSTER_WANTS_OUT:
		worker_wants_out(node->options.worker);
		break;
	case CLUSTER_HAS_PRELOAD:
		node->has_preload = true;
		break;
	case CLUSTER_STOP_ANSWER:
		node->has_answered = true;
		node->handles_signal = event.handles_signal;
		node->handles_disconnect = event.handles_disconnect;
		break;
	case CLUSTER_OTHER:
		break;
	case CLUSTER_CLOSED:
		node_on_closed(node, &event);
		break;
	}
}

/*
 * Handle a message. Bytes that are no value are ignored: they may be the rest of a message whose
 * beginning a previous controller read. (Such a rest of a line of JSON has one closing bracket too
 * many.)
 */
static void on_bytes(void *context, const struct node_message *bytes)
{
	struct node_worker *node = context;
	json_t *message;

	switch (cluster_address(bytes)) {
	case CLUSTER_TO_PRIMARY:
		message = node_message_load(bytes);
		if (message)
			on_message(node, message);
		json_decref(message);
		break;
	case CLUSTER_HANDLE:
		node_on_handle_sent(node);
		break;
	case CLUSTER_APPLICATION:
		if (relay_pass(node->member, bytes))
			node_warn_buffer(node, bytes);
		else
			node_warn_unheard(node, bytes);
		break;
	case CLUSTER_NO_VALUE:
		break;
	}
}

/*
 * Handle the end of the channel. The worker is about to exit, which the watch on its process
 * reports.
 */
static void on_end(void *context)
{
	struct node_worker *node = context;

	node->has_ended = true;
	relay_end(node->member);
	node->options.ended(node->options.context);
}

/*
 * Send a message of another worker. The message is lost if this worker does not read and its queue
 * is full. It is also lost if the other worker began with the other --serialization, and the
 * message can't be converted.
 */
static void relay_to(void *context, const struct node_message *message)
{
	struct node_worker *node = context;
	int error = node->has_ended ? 0 : node_ipc_pass(node->ipc, message);

	if (!error || error == -EPIPE)
		return;
	if (!node->has_lost)
		report(STICKY_LOG_WARN, "message_lost", "slot=%u so=\"%s\"",
		       worker_slot(node->options.worker),
		       error == -ENOBUFS || error == -ENOMEM
			       ? "messages of other workers to this one are lost: it does not "
				 "read them"
			       : "messages of workers with another --serialization can't be "
				 "converted, until a reload has replaced them");
	node->has_lost = true;
}

static int open_late(const struct node_worker_options *options, struct late_listeners **ret_late)
{
	const struct late_listeners_options late = {
		.base = options->base,
		.worker = options->worker,
		.ports = options->ports,
		.ready_timeout_ms = options->config->timing.ready_timeout_ms,
	};

	return late_listeners_open(&late, ret_late);
}

static enum node_format format_of(const struct worker *worker)
{
	return worker_serialization(worker) == NODE_SERIALIZATION_ADVANCED ? NODE_FORMAT_ADVANCED
									   : NODE_FORMAT_JSON;
}

static int open_node(const struct node_worker_options *options, int fd, bool is_adopted,
		     struct node_worker **ret_node)
{
	struct node_worker *node = calloc(1, sizeof(*node));
	const struct node_ipc_callbacks callbacks = {.message = on_bytes,
						     .too_long = node_warn_too_long,
						     .end = on_end,
						     .drained = node_on_drained,
						     .context = node};
	const struct node_ipc_end end = {
		.fd = fd, .format = format_of(options->worker), .is_adopted = is_adopted};
	int error = 0;

	if (!node)
		return -ENOMEM;
	node->options = *options;
	node->seq = FIRST_SEQ;
	node->shared = json_object();
	if (!node->shared)
		error = -ENOMEM;
	if (!error && options->delivery)
		error = worker_endpoint_open(options->delivery, worker_slot(options->worker),
					     &node_endpoint_ops, node, ON_THE_WAY_MAX,
					     &node->endpoint);
	if (!error && node_listeners_may_grow(options->ports))
		error = open_late(options, &node->late);
	if (!error)
		error = relay_join(options->relay, relay_to, node, &node->member);
	if (!error)
		error = node_ipc_open(options->base, &end, &callbacks, &node->ipc);
	if (error) {
		node_worker_close(node);
		return error;
	}
	node_note_why_not_ready(node);
	*ret_node = node;
	return 0;
}

int node_worker_open(const struct node_worker_options *options, int *ret_child_end,
		     struct node_worker **ret_node)
{
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -errno;
	error = open_node(options, ends[0], false, ret_node);
	if (!error)
		worker_note_held(options->worker, 0);
	if (error) {
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	*ret_child_end = ends[1];
	return 0;
}

/* Returns the listeners at which an adopted worker has a socket, one bit each. */
static uint32_t held_by(const struct node_worker_options *options)
{
	const struct sticky_worker *sockets = worker_sockets(options->worker);
	uint32_t held = 0, i;

	for (i = 0; sockets && i < STICKY_LISTENERS_LIMIT; i++)
		if (sticky_worker_fd(sockets, i) >= 0)
			held |= 1u << i;
	return held;
}

int node_worker_adopt(const struct node_worker_options *options, int fd,
		      struct node_worker **ret_node)
{
	int error = open_node(options, fd, true, ret_node);

	if (error)
		return error;
	/*
	 * The worker has its sockets from the previous controller. A second listen() must be
	 * refused: Node.js throws if it gets the same server twice.
	 */
	(*ret_node)->held = held_by(options);
	if ((*ret_node)->late && (*ret_node)->held) {
		late_listeners_adopt((*ret_node)->late, (*ret_node)->held);
		worker_excuse(options->worker, ~(*ret_node)->held);
	}
	if ((*ret_node)->endpoint)
		worker_takes_passed(options->worker, (*ret_node)->endpoint);
	return 0;
}

int node_worker_fd(const struct node_worker *node)
{
	return node_ipc_fd(node->ipc);
}

uint32_t node_worker_on_the_way(const struct node_worker *node)
{
	return node->endpoint ? worker_endpoint_on_the_way(node->endpoint) : 0;
}

bool node_worker_has_unsent(const struct node_worker *node)
{
	return !node->has_ended && node_ipc_is_busy(node->ipc);
}

bool node_worker_has_ended(const struct node_worker *node)
{
	return node->has_ended;
}

void node_worker_leave(struct node_worker *node, uint32_t idle_ms)
{
	if (!node->has_ended)
		node_send(node, preload_leave(idle_ms), -1, 0);
}

bool node_worker_disconnect(struct node_worker *node, const struct cluster_stop *stop)
{
	if (node->has_ended)
		return false;
	/* If this message can't be sent, the worker is still asked to finish. */
	if (stop && !node_send(node, cluster_tell_stop(stop), -1, 0))
		node->was_told = true;
	return node_send(node, cluster_disconnect(node->seq++), -1, 0) == 0;
}

bool node_worker_runs_handler(const struct node_worker *node)
{
	if (node->has_answered)
		return node->handles_signal;
	return node->was_told && node->has_preload && !node->has_ended;
}

bool node_worker_handles_disconnect(const struct node_worker *node)
{
	return node->handles_disconnect;
}

void node_worker_ended(struct node_worker *node)
{
	if (node)
		relay_end(node->member);
}

void node_worker_close(struct node_worker *node)
{
	if (!node)
		return;
	worker_endpoint_close(node->endpoint);
	relay_leave(node->member);
	node_ipc_close(node->ipc);
	late_listeners_close(node->late);
	node_release_shared(node);
	free(node);
}
