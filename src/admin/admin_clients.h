/* SPDX-License-Identifier: MIT */
/*
 * Bounds the connections of an HTTP server: their number, and the time that each may take for its
 * request and its answer together. So a client that sends byte by byte does not keep others out.
 */
#ifndef STICKY_ADMIN_ADMIN_CLIENTS_H
#define STICKY_ADMIN_ADMIN_CLIENTS_H

#include <event2/http.h>
#include <stdint.h>

struct admin_clients;

struct admin_limits {
	uint32_t clients;     /* number at most: one more ends the oldest one that is no stream */
	uint32_t patience_ms; /* time for a connection, from its accept() on */
};

/*
 * Watch the connections that a server will accept. The server must end each connection with its
 * answer.
 *
 * http  must be freed before admin_clients_close()
 *
 * Returns 0 or -ENOMEM.
 */
int admin_clients_open(struct event_base *base, struct evhttp *http,
		       const struct admin_limits *limits, struct admin_clients **ret_clients);

/*
 * Close the descriptor of a connection right after its answer. Must be called before the answer.
 * Without this call the descriptor is closed half a second later. Sets the connection's close
 * callback.
 */
void admin_clients_expect_end(struct admin_clients *clients, struct evhttp_connection *connection);

/* Never end this connection: it is answered by a stream, which bounds itself. */
void admin_clients_keep(struct admin_clients *clients, struct evhttp_connection *connection);

/* Returns the number of connections that are open, perhaps with some that have just ended. */
uint32_t admin_clients_count(const struct admin_clients *clients);

/* Free the connections that are left. NULL is allowed. */
void admin_clients_close(struct admin_clients *clients);

#endif
