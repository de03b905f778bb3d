// SPDX-License-Identifier: MIT
#include "node/node_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/cluster_messages.h"
#include "node/ipc.h"
#include "node/late_listeners.h"
#include "node/preload_messages.h"
#include "common/log.h"
#include "supervise/slot_handover.h"

#define ON_THE_WAY_MAX 64
#define KEY_SIZE       192
#define WORDS_SIZE     128
#define MISSING_SIZE   96

/* The controller's own messages are numbered from here on, passed connections from 1 on. */
#define FIRST_SEQ (1ll << 40)

struct node_worker {
	struct node_worker_options options;
	struct node_ipc *ipc;
	struct worker_endpoint *outlet; /* NULL: no connections are passed */
	struct relay_member *member;
	json_int_t seq;
	char asked[STICKY_LISTENERS_LIMIT][KEY_SIZE]; /* key of the query for each listener */
	/* listeners that the worker has, one bit each */
	uint32_t held;
	uint32_t listening;	    /* those of them on which it listens */
	char elsewhere[WORDS_SIZE]; /* text for messages: what else it listens on */
	/* an object; its keys are those of the shared sockets that the worker has */
	json_t *shared;
	struct late_listeners *late; /* NULL: no port can become a listener */
	bool is_online;
	/*
	 * Descriptors that have not arrived yet, in order: a connection's number; 0: other sockets.
	 */
	uint32_t handles[ON_THE_WAY_MAX * 2];
	uint32_t first_handle, handle_count;
	bool has_ended; /* the worker has closed its end of the channel */
};

/* ---- Descriptors that have not arrived yet ------------------------------------------------ */

#define HANDLES (sizeof(((struct node_worker *)0)->handles) / sizeof(uint32_t))

static void note_handle(struct node_worker *node, uint32_t id)
{
	if (node->handle_count < HANDLES)
		node->handles[(node->first_handle + node->handle_count++) % HANDLES] = id;
}

static uint32_t next_handle(struct node_worker *node)
{
	uint32_t id;

	if (!node->handle_count)
		return 0;
	id = node->handles[node->first_handle];
	node->first_handle = (node->first_handle + 1) % HANDLES;
	node->handle_count--;
	return id;
}

/* ---- Messages to the worker ------------------------------------------------------ */

static int send_message(struct node_worker *node, json_t *message, int fd, uint32_t id)
{
	int error;

	if (!message)
		return -ENOMEM;
	error = node_ipc_send(node->ipc, message, fd);
	if (!error && fd >= 0)
		note_handle(node, id);
	return error;
}

/* If the answer to a query can't be sent, the worker would wait for ever: it is replaced. */
static void answer_query(struct node_worker *node, const struct cluster_event *event,
			 const char *key, int error, const json_t *data, int fd)
{
	json_t *reply = cluster_reply(event->seq, key, error, data, node->seq++);
	int failed;

	if (fd >= 0)
		reply = cluster_wrap(reply, event->query.udp != 0);
	failed = send_message(node, reply, fd, 0);
	if (failed)
		worker_lost(node->options.worker, END_NOT_ANSWERED);
}

/* The key of a server at a listener. It is the same for each worker and each controller. */
#define KEY_FORMAT "sticky:%d"

static void format_key(int listener, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, KEY_FORMAT, listener);
}

/* ---- Connections that are passed ------------------------------------------------- */

/* Workers written for a module report only that a connection's descriptor has arrived. */
static bool is_of_module(const struct node_worker *node)
{
	return config_worker_mode(node->options.config) > WORKER_NODE;
}

/* "payload" is what the module's primary would have read from the connection: here nothing. */
static json_t *message_of_module(const struct node_worker *node)
{
	if (config_worker_mode(node->options.config) == WORKER_STICKY_LISTEN)
		return json_pack("{s:s, s:n}", "msg", "sticky:balance", "payload");
	return json_sprintf("%sconnection", config_worker_prefix(node->options.config));
}

/*
 * The client of the PROXY protocol is nowhere else to be seen, once its header was taken out. An
 * application reads X-Forwarded-For itself.
 */
static json_t *message_of_cluster(const struct node_worker *node, const char *key, uint32_t id,
				  const struct delivery_item *item)
{
	const struct config *config = node->options.config;
	bool is_hidden =
		item->source == CHANNEL_FROM_PROXY && config->proxy.header == PROXY_HEADER_STRIP;

	return preload_describe(cluster_connection(key, id), config_closes_keepalive(config),
				is_hidden ? &item->client.any : NULL);
}

static int pass_connection(void *context, uint32_t id, const struct delivery_item *item)
{
	struct node_worker *node = context;
	char key[KEY_SIZE];
	json_t *message;
	int one = 1, error;

	/*
	 * While other messages wait for this worker, the connection waits in the controller
	 * instead.
	 */
	if (node_ipc_is_busy(node->ipc))
		return -EAGAIN;
	setsockopt(item->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	format_key(nodeports_listener_of(node->options.ports, item->fd), key);
	message = is_of_module(node) ? cluster_socket(message_of_module(node))
				     : cluster_wrap(message_of_cluster(node, key, id, item), false);
	error = send_message(node, message, item->fd, id);
	return error == -EMFILE || error == -ENOMEM ? -ENOBUFS : error;
}

static const struct worker_endpoint_ops ops = {.send = pass_connection};

static void on_drained(void *context)
{
	struct node_worker *node = context;

	if (node->outlet)
		worker_endpoint_resume(node->outlet);
}

static void on_answer(struct node_worker *node, const struct cluster_event *event)
{
	if (!node->outlet || event->ack <= 0 || event->ack >= FIRST_SEQ)
		return;
	if (event->accepted)
		worker_endpoint_accepted(node->outlet, (uint32_t)event->ack);
	else
		worker_endpoint_refused(node->outlet, (uint32_t)event->ack);
}

static void on_handle_taken(struct node_worker *node)
{
	uint32_t id = next_handle(node);

	if (id && node->outlet && is_of_module(node))
		worker_endpoint_accepted(node->outlet, id);
}

/*
 * The worker had no free descriptor. A passed connection is taken back; but a worker without the
 * socket that it asked for is of no use.
 */
static void on_handle_lost(struct node_worker *node)
{
	uint32_t id = next_handle(node);

	if (id && node->outlet)
		worker_endpoint_refused(node->outlet, id);
	else
		worker_lost(node->options.worker, END_NO_ROOM_FOR_SOCKET);
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
	const char *hint = NULL;

	nodeports_missing(node->options.ports, node->listening, sizeof(missing), missing);
	if (!node->is_online) {
		snprintf(text, sizeof(text), "no word from Node.js");
		hint = "name node itself as the command, not npm, npx, yarn or a shell, which does "
		       "not hand its channel on";
	} else if (is_of_module(node) || (node->listening && !missing[0])) {
		snprintf(text, sizeof(text), "it has not said that it is ready");
		hint = "--ready=message waits for process.send('ready')";
	} else if (node->elsewhere[0]) {
		snprintf(text, sizeof(text), "it listens on %s%s%s", node->elsewhere,
			 missing[0] ? ", and -l names " : "", missing);
		hint = missing[0] ? "name by -l the address that it listens on; the port that -l "
				    "names is in its environment as PORT"
				  : "clients need a port that they know: let the application "
				    "listen on one";
	} else if (missing[0] && node->listening) {
		snprintf(text, sizeof(text), "it does not listen on %s, which -l names", missing);
		hint = "every address that -l names must be listened on: leave out those that "
		       "are not";
	} else {
		snprintf(text, sizeof(text), "it has not called listen()");
		hint = "stickyctl does not see listen({exclusive: true}), nor processes that the "
		       "application starts by cluster.fork(); an application that needs longer to "
		       "start needs a larger --ready-timeout";
	}
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

static void set_held(struct node_worker *node, uint32_t held)
{
	node->held = held;
	worker_note_held(node->options.worker, held);
}

/*
 * The worker may have been without a socket there, as it did not listen. With steering by user
 * workers have none at all.
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
	error = begin_serving(node, (uint32_t)port.listener);
	if (error) {
		answer_query(node, event, key, error, NULL, -1);
		return;
	}
	describe_asked(&event->query, node->asked[port.listener]);
	set_held(node, node->held | 1u << port.listener);
	format_key(port.listener, key);
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
	    listener < STICKY_LISTENERS_LIMIT) {
		set_held(node, node->held & ~(1u << listener));
		if (node->late)
			late_listeners_remove(node->late, (uint32_t)listener);
	}
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
 * Workers of a module are READY when they listen on anything: sticky-cluster's listen on a port
 * that is not used, once they are set up. (sticky-listen's listen nowhere.)
 */
static void on_listening(struct node_worker *node, const struct cluster_event *event)
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
	note_why_not_ready(node);
	nodeports_missing(node->options.ports, node->listening, sizeof(missing), missing);
	if (is_of_module(node) || (node->listening && !missing[0] && !node->late))
		worker_said(node->options.worker, WORKER_SAYS_LISTENING);
}

static void on_online(struct node_worker *node)
{
	node->is_online = true;
	note_why_not_ready(node);
	if (is_of_module(node))
		worker_takes_passed(node->options.worker, node->outlet);
	/* A worker written for sticky-listen may send nothing more. */
	worker_said(node->options.worker,
		    config_worker_mode(node->options.config) == WORKER_STICKY_LISTEN
			    ? WORKER_SAYS_BEGUN
			    : WORKER_SAYS_NOTHING_KNOWN);
}

/* ---- Messages of the worker ------------------------------------------------------ */

static void on_message(void *context, const json_t *message)
{
	struct node_worker *node = context;
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
		on_answer(node, &event);
		break;
	case CLUSTER_HANDLE_TAKEN:
		on_handle_taken(node);
		break;
	case CLUSTER_HANDLE_LOST:
		on_handle_lost(node);
		break;
	case CLUSTER_LEAVING:
		/* This has the effect of STOPPING=1: the slot's next worker starts now. */
		send_message(node, cluster_acknowledge(event.seq, node->seq++), -1, 0);
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
	case CLUSTER_OTHER:
		relay_pass(node->member, message);
		break;
	case CLUSTER_CLOSED:
		on_closed(node, &event);
		break;
	}
}

/* The worker is about to exit. Its end is reported by the watch on its process. */
static void on_end(void *context)
{
	struct node_worker *node = context;

	node->has_ended = true;
	relay_end(node->member);
}

/*
 * Send a message of another worker. If this worker does not read, and its queue is full, the
 * message is lost.
 */
static void relay_to(void *context, const json_t *message)
{
	struct node_worker *node = context;

	if (!node->has_ended)
		node_ipc_send(node->ipc, json_incref((json_t *)message), -1);
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

static int open_node(const struct node_worker_options *options, int fd,
		     struct node_worker **ret_node)
{
	struct node_worker *node = calloc(1, sizeof(*node));
	const struct node_ipc_callbacks callbacks = {
		.message = on_message, .end = on_end, .drained = on_drained, .context = node};
	int error = 0;

	if (!node)
		return -ENOMEM;
	node->options = *options;
	node->seq = FIRST_SEQ;
	node->shared = json_object();
	if (!node->shared)
		error = -ENOMEM;
	if (!error && options->delivery)
		error = worker_endpoint_open(options->delivery, worker_slot(options->worker), &ops,
					     node, ON_THE_WAY_MAX, &node->outlet);
	if (!error && nodeports_may_grow(options->ports))
		error = open_late(options, &node->late);
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

/* The listeners of which an adopted worker has a socket, a bit each. */
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
	int error = open_node(options, fd, ret_node);

	if (error)
		return error;
	/*
	 * The worker has its sockets from the previous controller. A second listen() must be
	 * refused: Node.js throws if it gets the same server twice.
	 */
	(*ret_node)->held = held_by(options);
	if ((*ret_node)->late && (*ret_node)->held)
		late_listeners_adopt((*ret_node)->late, (*ret_node)->held);
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

void node_worker_leave(struct node_worker *node, uint32_t idle_ms)
{
	if (!node->has_ended)
		send_message(node, preload_leave(idle_ms), -1, 0);
}

bool node_worker_disconnect(struct node_worker *node)
{
	return !node->has_ended && send_message(node, cluster_disconnect(node->seq++), -1, 0) == 0;
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
	late_listeners_close(node->late);
	release_shared(node);
	free(node);
}
