// SPDX-License-Identifier: MIT
#include "admin/admin_clients.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "api/http_accept.h"
#include "common/clock.h"
#include "common/timer.h"

#define READ_MAX (64u << 10) /* bytes that may wait to be parsed; a request has fewer */
#define SWEEP_MS 500	     /* period of forgetting ended connections, and ending slow ones */

/*
 * A connection. libevent 2.1 neither bounds connections nor reports the end of one without a
 * request. So each connection gets a bufferevent that is made here, with one more reference. When
 * libevent frees the bufferevent, it removes its callbacks: so the end of the connection is
 * noticed. libevent has shut the socket down before, so that the client sees the end at once. The
 * descriptor is closed only with the last reference: until then, the bufferevent's events are
 * registered for its number.
 */
struct client {
	TAILQ_ENTRY(client) in_order; /* sorted by since_ms */
	struct bufferevent *stream;
	uint64_t since_ms;
	bool is_kept;
	bool is_ended; /* the socket was shut down, and libevent is about to free the connection */
};

TAILQ_HEAD(client_list, client);

struct admin_clients {
	struct admin_limits limits;
	struct client_list list;
	uint32_t count;
	struct event *sweep; /* timer: runs while there are clients */
};

static bool is_gone(const struct client *client)
{
	bufferevent_event_cb callback;

	bufferevent_getcb(client->stream, NULL, NULL, &callback, NULL);
	return !callback;
}

static void forget(struct admin_clients *clients, struct client *client)
{
	TAILQ_REMOVE(&clients->list, client, in_order);
	clients->count--;
	bufferevent_decref(client->stream);
	free(client);
}

/* End a connection: libevent then finds the end of the stream, or an error, and frees it. */
static void end(struct client *client)
{
	if (client->is_kept || client->is_ended)
		return;
	shutdown(bufferevent_getfd(client->stream), SHUT_RDWR);
	client->is_ended = true;
}

static void forget_gone(struct admin_clients *clients)
{
	struct client *client = TAILQ_FIRST(&clients->list), *next;

	for (; client; client = next) {
		next = TAILQ_NEXT(client, in_order);
		if (is_gone(client))
			forget(clients, client);
	}
}

static void end_slow(struct admin_clients *clients)
{
	uint64_t now = clock_ms();
	struct client *client;

	for (client = TAILQ_FIRST(&clients->list); client; client = TAILQ_NEXT(client, in_order)) {
		if (client->since_ms + clients->limits.patience_ms > now)
			return;
		end(client);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct admin_clients *clients = context;

	(void)fd;
	(void)what;
	forget_gone(clients);
	end_slow(clients);
	if (clients->count)
		timer_start(clients->sweep, SWEEP_MS);
}

static void end_oldest(struct admin_clients *clients)
{
	struct client *client;

	for (client = TAILQ_FIRST(&clients->list); client; client = TAILQ_NEXT(client, in_order)) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE() comes before free() */
		if (client->is_kept || client->is_ended)
			continue;
		end(client);
		return;
	}
}

static void watch(struct admin_clients *clients, struct client *client)
{
	bufferevent_incref(client->stream);
	client->since_ms = clock_ms();
	TAILQ_INSERT_TAIL(&clients->list, client, in_order);
	clients->count++;
	if (!event_pending(clients->sweep, EV_TIMEOUT, NULL))
		timer_start(clients->sweep, SWEEP_MS);
}

/*
 * Make the bufferevent of a connection that libevent has accepted. NULL: libevent makes one itself.
 */
static struct bufferevent *on_accepted(struct event_base *base, void *context)
{
	struct admin_clients *clients = context;
	struct client *client = calloc(1, sizeof(*client));

	forget_gone(clients);
	if (clients->count >= clients->limits.clients)
		end_oldest(clients);
	if (!client)
		return NULL;
	client->stream = accepting_make_stream(base, NULL);
	if (!client->stream) {
		free(client);
		return NULL;
	}
	/*
	 * Bytes are read until the descriptor is closed, even after libevent has freed the
	 * connection.
	 */
	bufferevent_setwatermark(client->stream, EV_READ, 0, READ_MAX);
	watch(clients, client);
	return client->stream;
}

static void on_closing(struct evhttp_connection *connection, void *context)
{
	struct admin_clients *clients = context;

	(void)connection;
	timer_start(clients->sweep, 0);
}

void admin_clients_expect_end(struct admin_clients *clients, struct evhttp_connection *connection)
{
	evhttp_connection_set_closecb(connection, on_closing, clients);
}

int admin_clients_open(struct event_base *base, struct evhttp *http,
		       const struct admin_limits *limits, struct admin_clients **ret_clients)
{
	struct admin_clients *clients = calloc(1, sizeof(*clients));

	if (!clients)
		return -ENOMEM;
	clients->limits = *limits;
	TAILQ_INIT(&clients->list);
	clients->sweep = evtimer_new(base, on_sweep, clients);
	if (!clients->sweep) {
		free(clients);
		return -ENOMEM;
	}
	evhttp_set_bevcb(http, on_accepted, clients);
	*ret_clients = clients;
	return 0;
}

void admin_clients_keep(struct admin_clients *clients, struct evhttp_connection *connection)
{
	const struct bufferevent *stream = evhttp_connection_get_bufferevent(connection);
	struct client *client;

	for (client = TAILQ_FIRST(&clients->list); client; client = TAILQ_NEXT(client, in_order))
		if (client->stream == stream)
			client->is_kept = true;
}

uint32_t admin_clients_count(const struct admin_clients *clients)
{
	return clients->count;
}

void admin_clients_close(struct admin_clients *clients)
{
	struct client *client;

	if (!clients)
		return;
	while ((client = TAILQ_FIRST(&clients->list)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): forget() unlinks it */
		forget(clients, client);
	event_free(clients->sweep);
	free(clients);
}
