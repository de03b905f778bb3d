// SPDX-License-Identifier: MIT
#include "node/node_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/node_worker_internal.h"
#include "node/not_ready.h"
#include "common/log.h"
#include "common/sanitize.h"

/* If the answer to a query can't be sent, the worker would wait for ever: it is replaced. */
static void answer_query(struct node_worker *node, const struct cluster_event *event,
			 const char *key, int error, const json_t *data, int fd)
{
	json_t *reply = cluster_reply(event->seq, key, error, data, node->seq++);

	if (fd >= 0)
		reply = cluster_wrap(reply, event->query.udp != 0);
	if (node_send(node, reply, fd, 0))
		worker_lost(node->options.worker, END_NOT_ANSWERED);
}

/* ---- Queries of the worker ------------------------------------------------------- */

static int socket_of(const struct node_worker *node, int listener)
{
	int fd = sticky_worker_fd(worker_sockets(node->options.worker), (uint32_t)listener);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	/* Node.js calls accept() in its event loop, which a blocking socket would stop. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -1;
	return fd;
}

/*
 * Write a key from a query and from the "listening" message that follows it: both give the same
 * text.
 */
static void describe_asked(const struct cluster_query *query, char asked[KEY_SIZE])
{
	struct cluster_query copy = *query;

	if (copy.fd >= 0)
		copy.port = -1;
	cluster_key(&copy, KEY_SIZE, asked);
}

/* Note what the worker has yet to do to be READY, for the message if it never does. */
static void note_why_not_ready(struct node_worker *node)
{
	char missing[MISSING_SIZE], text[WORDS_SIZE + 2 * MISSING_SIZE];
	const struct not_ready facts = {
		.is_online = node->is_online,
		.is_of_module = node_is_of_module(node),
		.listens = node->listening != 0,
		.missing = missing,
		.elsewhere = node->elsewhere,
		.refused = node->refused,
		.refused_error = node->refused_error,
	};
	const char *hint;

	nodeports_missing(node->options.ports, node->listening, sizeof(missing), missing);
	hint = not_ready_text(&facts, sizeof(text), text);
	worker_not_ready(node->options.worker, text, hint);
}

static void note_elsewhere(struct node_worker *node, const struct cluster_query *query)
{
	size_t length = strlen(node->elsewhere);

	snprintf(node->elsewhere + length, sizeof(node->elsewhere) - length, "%s",
		 length ? ", " : "");
	length = strlen(node->elsewhere);
	if (query->port < 0)
		snprintf(node->elsewhere + length, sizeof(node->elsewhere) - length, "%s",
			 query->address);
	else
		snprintf(node->elsewhere + length, sizeof(node->elsewhere) - length, "%sport %d",
			 query->udp ? "UDP " : "", query->port);
	note_why_not_ready(node);
}

static void format_address(const struct cluster_query *query, size_t size, char *text)
{
	if (query->port < 0)
		snprintf(text, size, "%s", query->address);
	else
		snprintf(text, size, "%s%s%s%s:%d", query->udp ? "UDP " : "",
			 strchr(query->address, ':') ? "[" : "", query->address,
			 strchr(query->address, ':') ? "]" : "", query->port);
	text_clean_value(text); /* the worker chose the address */
}

static void note_refused(struct node_worker *node, const struct cluster_query *query, int error)
{
	format_address(query, sizeof(node->refused), node->refused);
	node->refused_error = error;
	note_why_not_ready(node);
}

static void on_query(struct node_worker *node, const struct cluster_event *event)
{
	char key[KEY_SIZE];
	struct nodeport port;
	int error =
		nodeports_find(node->options.ports, &event->query, node->held, event->data, &port);

	cluster_key(&event->query, sizeof(key), key);
	/*
	 * The worker has this socket already, and Node.js throws at a second server with the same
	 * key.
	 */
	if (!error && port.listener < 0 && json_object_get(node->shared, key))
		error = -EADDRINUSE;
	if (error) {
		note_refused(node, &event->query, error);
		answer_query(node, event, key, error, NULL, -1);
		return;
	}
	if (port.listener < 0) {
		note_elsewhere(node, &event->query);
		if (!json_object_set_new(node->shared, key, json_true()))
			nodeports_hold(node->options.ports, key);
		answer_query(node, event, key, 0, port.data, port.fd);
		return;
	}
	/* The worker was asked to stop after it sent the query, and has left its slot. */
	if (!worker_sockets(node->options.worker)) {
		answer_query(node, event, key, -ECANCELED, NULL, -1);
		return;
	}
	describe_asked(&event->query, node->asked[port.listener]);
	node->held |= 1u << port.listener;
	node_format_key(port.listener, key);
	if (node->outlet)
		worker_takes_passed(node->options.worker, node->outlet);
	answer_query(node, event, key, 0, port.data, socket_of(node, port.listener));
}

/*
 * Should the shared sockets of this worker stay open for a successor? Yes, if the worker has left
 * its slot because it was asked to stop or has ended, and no successor has come yet. If there is
 * one already, it has opened the sockets that it wants.
 */
static bool is_followed(const struct node_worker *node)
{
	const struct worker *worker = node->options.worker;

	return !worker_sockets(worker) && !worker_is_superseded(worker);
}

static void on_closed(struct node_worker *node, const struct cluster_event *event)
{
	int listener;

	if (sscanf(event->key, KEY_FORMAT, &listener) == 1 && listener >= 0 &&
	    listener < STICKY_LISTENERS_LIMIT)
		node->held &= ~(1u << listener);
	if (!json_object_del(node->shared, event->key))
		nodeports_release(node->options.ports, event->key, is_followed(node));
}

static void release_shared(struct node_worker *node)
{
	const char *key;
	json_t *value;

	json_object_foreach(node->shared, key, value)
	{
		nodeports_release(node->options.ports, key,
				  !worker_is_superseded(node->options.worker));
	}
	json_decref(node->shared);
}

/*
 * Workers of a module are READY when they listen on any port: workers of sticky-cluster listen on a
 * port that is not used, once they are set up. (Those of sticky-listen never listen.)
 */
static void on_listening(struct node_worker *node, const struct cluster_event *event)
{
	char asked[KEY_SIZE], missing[MISSING_SIZE];
	uint32_t i;

	describe_asked(&event->query, asked);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (node->held & 1u << i && !strcmp(node->asked[i], asked))
			node->listening |= 1u << i;
	note_why_not_ready(node);
	nodeports_missing(node->options.ports, node->listening, sizeof(missing), missing);
	if (node_is_of_module(node) || (node->listening && !missing[0]))
		worker_said(node->options.worker, WORKER_SAYS_LISTENING);
}

static void on_online(struct node_worker *node)
{
	node->is_online = true;
	note_why_not_ready(node);
	if (node_is_of_module(node))
		worker_takes_passed(node->options.worker, node->outlet);
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
		on_query(node, &event);
		break;
	case CLUSTER_LISTENING:
		on_listening(node, &event);
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
		/* This has the same effect as STOPPING=1: the slot's next worker starts now. */
		node_send(node, cluster_acknowledge(event.seq, node->seq++), -1, 0);
		worker_said(node->options.worker, WORKER_SAYS_STOPS);
		break;
	case CLUSTER_SAYS_READY:
		worker_said(node->options.worker, WORKER_SAYS_MESSAGE);
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
		on_closed(node, &event);
		break;
	}
}

/*
 * A text that is no JSON: a previous controller may have read the beginning of this line. The rest
 * of it has one closing bracket too many.
 */
static void on_line(void *context, const char *text, size_t length)
{
	struct node_worker *node = context;
	json_t *message;

	switch (cluster_address(text, length)) {
	case CLUSTER_TO_PRIMARY:
		message = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (message)
			on_message(node, message);
		json_decref(message);
		break;
	case CLUSTER_HANDLE:
		node_on_handle_sent(node);
		break;
	case CLUSTER_APPLICATION:
		if (relay_pass(node->member, text, length))
			node_warn_buffer(node, text, length);
		else
			node_warn_unheard(node, text, length);
		break;
	case CLUSTER_NO_JSON:
		break;
	}
}

/* The worker is about to exit. Its end is reported by the watch on its process. */
static void on_end(void *context)
{
	struct node_worker *node = context;

	node->has_ended = true;
	relay_end(node->member);
	node->options.ended(node->options.context);
}

/*
 * Send a message of another worker. If this worker does not read, and its queue is full, the
 * message is lost.
 */
static void relay_to(void *context, const char *text, size_t length)
{
	struct node_worker *node = context;
	int error = node->has_ended ? 0 : node_ipc_send_line(node->ipc, text, length);

	if ((error == -ENOBUFS || error == -ENOMEM) && !node->has_lost)
		report(STICKY_LOG_WARN, "message_lost",
		       "slot=%u so=\"messages of other workers to this one are lost: it does not "
		       "read "
		       "them\"",
		       worker_slot(node->options.worker));
	node->has_lost |= error == -ENOBUFS || error == -ENOMEM;
}

static int open_node(const struct node_worker_options *options, int fd,
		     struct node_worker **ret_node)
{
	struct node_worker *node = calloc(1, sizeof(*node));
	const struct node_ipc_callbacks callbacks = {.line = on_line,
						     .too_long = node_warn_too_long,
						     .end = on_end,
						     .drained = node_on_drained,
						     .context = node};
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
					     &node->outlet);
	if (!error)
		error = relay_join(options->relay, relay_to, node, &node->member);
	if (!error)
		error = node_ipc_open(options->base, fd, &callbacks, &node->ipc);
	if (error) {
		node_worker_close(node);
		return error;
	}
	note_why_not_ready(node);
	*ret_node = node;
	return 0;
}

int node_worker_open(const struct node_worker_options *options, int *ret_child_end,
		     struct node_worker **ret_node)
{
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -errno;
	error = open_node(options, ends[0], ret_node);
	if (error) {
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	*ret_child_end = ends[1];
	return 0;
}

int node_worker_adopt(const struct node_worker_options *options, int fd,
		      struct node_worker **ret_node)
{
	int error = open_node(options, fd, ret_node);

	if (error)
		return error;
	/*
	 * The worker has its sockets from the previous controller. A second listen() must be
	 * refused: Node.js throws if it gets the same server twice.
	 */
	(*ret_node)->held = nodeports_listeners(options->ports);
	if ((*ret_node)->outlet)
		worker_takes_passed(options->worker, (*ret_node)->outlet);
	return 0;
}

int node_worker_fd(const struct node_worker *node)
{
	return node_ipc_fd(node->ipc);
}

uint32_t node_worker_on_the_way(const struct node_worker *node)
{
	return node->outlet ? worker_endpoint_on_the_way(node->outlet) : 0;
}

bool node_worker_has_ended(const struct node_worker *node)
{
	return node->has_ended;
}

bool node_worker_disconnect(struct node_worker *node, const struct cluster_stop *stop)
{
	if (node->has_ended)
		return false;
	/* Without this message the worker is asked all the same. */
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
	worker_endpoint_close(node->outlet);
	relay_leave(node->member);
	node_ipc_close(node->ipc);
	release_shared(node);
	free(node);
}
