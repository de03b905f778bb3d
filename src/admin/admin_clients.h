/* SPDX-License-Identifier: MIT */
/*
 * Bounds the connections of an HTTP server: their number, and the time that each may take for its
 * request and its answer together. A client that is slow, byte by byte, does not keep others out.
 */
#ifndef STICKY_ADMIN_ADMIN_CLIENTS_H
#define STICKY_ADMIN_ADMIN_CLIENTS_H

#include <event2/http.h>
#include <stdint.h>

struct admin_clients;

struct admin_limits {
	uint32_t clients;     /* one more connection ends the oldest one that is no stream */
	uint32_t patience_ms; /* from the moment at which the connection was accepted */
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
 * This connection is about to be answered: its descriptor is closed right after that. Without this
 * call it takes half a second. Sets the connection's close callback.
 */
void admin_clients_expect_end(struct admin_clients *clients, struct evhttp_connection *connection);

/* This connection is answered by a stream, which bounds itself: it is never ended here. */
void admin_clients_keep(struct admin_clients *clients, struct evhttp_connection *connection);

/* Returns the number of connections that are open, perhaps with some that have just ended. */
uint32_t admin_clients_count(const struct admin_clients *clients);

/* NULL is allowed. */
void admin_clients_close(struct admin_clients *clients);

#endif
