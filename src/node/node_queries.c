// SPDX-License-Identifier: MIT
/* Answers a Node.js worker that asks for the sockets on which it listens. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "node/node_worker_internal.h"
#include "node/not_ready.h"
#include "common/sanitize.h"
#include "supervise/slot_handover.h"

/*
 * Answer a query. If the answer can't be sent, the worker is replaced, as it would wait for ever.
 */
static void answer_query(struct node_worker *node, const struct cluster_event *event,
			 const char *key, int error, const json_t *data, int fd)
{
	json_t *reply = cluster_reply(event->seq, key, error, data, node->seq++);

	if (fd >= 0)
		reply = cluster_wrap(reply, event->query.udp != 0);
	if (node_send(node, reply, fd, 0))
		worker_lost(node->options.worker, END_NOT_ANSWERED);
}

static int socket_of(const struct node_worker *node, int listener)
{
	int fd = sticky_worker_fd(worker_sockets(node->options.worker), (uint32_t)listener);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	/* Node.js calls accept() in its event loop, which a blocking socket would stop. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -1;
	return fd;
}

/* Write a key that is the same for a query and for the "listening" message that follows it. */
static void describe_asked(const struct cluster_query *query, char asked[KEY_SIZE])
{
	struct cluster_query copy = *query;

	if (copy.fd >= 0)
		copy.port = -1;
	cluster_key(&copy, KEY_SIZE, asked);
}

void node_note_why_not_ready(struct node_worker *node)
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

	node_listeners_missing(node->options.ports, node->listening, sizeof(missing), missing);
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
	node_note_why_not_ready(node);
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
	node_note_why_not_ready(node);
}

/*
 * Note the listeners that the worker has. While it has any, late_listeners.c sends the clients of
 * the other listeners to other workers. If it has none, its clients wait for it, as for any worker
 * that has closed its socket.
 */
static void set_held(struct node_worker *node, uint32_t held)
{
	node->held = held;
	worker_note_held(node->options.worker, held);
	worker_excuse(node->options.worker, node->late && held ? ~held : 0);
}

/*
 * Give the worker its socket at a listener back. The worker may have been without this socket, as
 * it did not listen. With steering by user (-EINVAL) workers have no sockets of their own.
 */
static int begin_serving(struct node_worker *node, uint32_t listener)
{
	int error = worker_serve(node->options.worker, listener, true);

	if (error && error != -EINVAL)
		return error;
	if (node->late)
		late_listeners_ask(node->late, listener);
	return 0;
}

void node_on_query(struct node_worker *node, const struct cluster_event *event)
{
	char key[KEY_SIZE];
	struct node_listener port;
	int error = node_listeners_find(node->options.ports, &event->query, node->held, event->data,
					&port);

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
			node_listeners_hold(node->options.ports, key);
		answer_query(node, event, key, 0, port.data, port.fd);
		return;
	}
	/* The worker was asked to stop after it sent the query, and has left its slot. */
	if (!worker_sockets(node->options.worker)) {
		answer_query(node, event, key, -ECANCELED, NULL, -1);
		return;
	}
	error = begin_serving(node, (uint32_t)port.listener);
	if (error) {
		answer_query(node, event, key, error, NULL, -1);
		return;
	}
	describe_asked(&event->query, node->asked[port.listener]);
	set_held(node, node->held | 1u << port.listener);
	node_format_key(port.listener, key);
	if (node->endpoint)
		worker_takes_passed(node->options.worker, node->endpoint);
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

void node_on_closed(struct node_worker *node, const struct cluster_event *event)
{
	int listener;

	if (sscanf(event->key, KEY_FORMAT, &listener) == 1 && listener >= 0 &&
	    listener < STICKY_LISTENERS_LIMIT) {
		set_held(node, node->held & ~(1u << listener));
		if (node->late)
			late_listeners_remove(node->late, (uint32_t)listener);
	}
	if (!json_object_del(node->shared, event->key))
		node_listeners_release(node->options.ports, event->key, is_followed(node));
}

void node_release_shared(struct node_worker *node)
{
	const char *key;
	json_t *value;

	json_object_foreach(node->shared, key, value)
	{
		node_listeners_release(node->options.ports, key,
				       !worker_is_superseded(node->options.worker));
	}
	json_decref(node->shared);
}

/*
 * A worker of a module is READY when it listens on any port. A worker of sticky-cluster listens on
 * a port that is not used, once it is set up. (A worker of sticky-listen never listens.)
 */
void node_on_listening(struct node_worker *node, const struct cluster_event *event)
{
	char asked[KEY_SIZE], missing[MISSING_SIZE];
	uint32_t i;

	describe_asked(&event->query, asked);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		if (!(node->held & 1u << i) || strcmp(node->asked[i], asked))
			continue;
		node->listening |= 1u << i;
		if (node->late)
			late_listeners_add(node->late, i);
	}
	node_note_why_not_ready(node);
	node_listeners_missing(node->options.ports, node->listening, sizeof(missing), missing);
	if (node_is_of_module(node) || (node->listening && !missing[0] && !node->late))
		worker_said(node->options.worker, WORKER_SAYS_LISTENING);
}
