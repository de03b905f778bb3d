// SPDX-License-Identifier: MIT
/* Sends messages, connections and other sockets to a Node.js worker. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/log.h"
#include "node/node_worker_internal.h"

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

int node_send(struct node_worker *node, json_t *message, int fd, uint32_t id)
{
	int error;

	if (!message)
		return -ENOMEM;
	error = node_ipc_send(node->ipc, message, fd);
	if (!error && fd >= 0)
		note_handle(node, id);
	return error;
}

void node_format_key(int listener, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, KEY_FORMAT, listener);
}

/* ---- Connections that are passed ------------------------------------------------- */

bool node_is_of_module(const struct node_worker *node)
{
	return config_worker_mode(node->options.config) > WORKER_NODE;
}

/*
 * Make the message of the module's primary. `payload` would be the bytes that this primary has read
 * from the connection; the controller reads none.
 */
static json_t *message_of_module(const struct node_worker *node)
{
	if (config_worker_mode(node->options.config) == WORKER_STICKY_LISTEN)
		return json_pack("{s:s, s:n}", "msg", "sticky:balance", "payload");
	return json_sprintf("%sconnection", config_worker_prefix(node->options.config));
}

/*
 * Make the message of a passed connection. It names the client that a PROXY header named if the
 * header was removed, as the worker could not know this client otherwise. X-Forwarded-For is read
 * by the application itself.
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

	/* While other messages wait for this worker, the connection waits in the controller. */
	if (node_ipc_is_busy(node->ipc))
		return -EAGAIN;
	setsockopt(item->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	node_format_key(node_listeners_index_of(node->options.ports, item->fd), key);
	message = node_is_of_module(node)
			  ? cluster_socket(message_of_module(node))
			  : cluster_wrap(message_of_cluster(node, key, id, item), false);
	error = node_send(node, message, item->fd, id);
	return error == -EMFILE || error == -ENOMEM ? -ENOBUFS : error;
}

const struct worker_endpoint_ops node_endpoint_ops = {.send = pass_connection};

void node_on_drained(void *context)
{
	struct node_worker *node = context;

	if (node->endpoint)
		worker_endpoint_resume(node->endpoint);
}

void node_on_answer(struct node_worker *node, const struct cluster_event *event)
{
	if (!node->endpoint || event->ack <= 0 || event->ack >= FIRST_SEQ)
		return;
	if (event->accepted)
		worker_endpoint_accepted(node->endpoint, (uint32_t)event->ack);
	else
		worker_endpoint_refused(node->endpoint, (uint32_t)event->ack);
}

void node_on_handle_taken(struct node_worker *node)
{
	uint32_t id = next_handle(node);

	if (id && node->endpoint && node_is_of_module(node))
		worker_endpoint_accepted(node->endpoint, id);
}

/*
 * The worker had no free descriptor. A passed connection is taken back. A worker that did not get
 * the socket that it asked for is of no use, and is replaced.
 */
void node_on_handle_lost(struct node_worker *node)
{
	uint32_t id = next_handle(node);

	if (id && node->endpoint)
		worker_endpoint_refused(node->endpoint, id);
	else
		worker_lost(node->options.worker, END_NO_ROOM_FOR_SOCKET);
}

/*
 * The application has called process.send(message, handle). The descriptor has no receiver, and was
 * closed when it arrived. Node.js sends nothing more until the controller acknowledges it.
 */
void node_on_handle_sent(struct node_worker *node)
{
	node_send(node, cluster_handle_taken(), -1, 0);
	if (!node->has_sent_handle)
		report(STICKY_LOG_WARN, "handle_closed",
		       "slot=%u hint=\"process.send(message, handle) has no receiver: the primary "
		       "is "
		       "stickyctl\"",
		       worker_slot(node->options.worker));
	node->has_sent_handle = true;
}
