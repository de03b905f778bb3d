/* SPDX-License-Identifier: MIT */
/*
 * A line of clients that wait to be served: each connects, sends its place in the
 * line, and is served when it gets that back. Main thread only: they fail the test.
 */
#ifndef TESTS_SUPPORT_WAITING_H
#define TESTS_SUPPORT_WAITING_H

#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"

#define WAITING_MAX 512

struct waiting {
	uint32_t count;
	uint32_t next; /* the client to try next: see client_address() */
	int clients[WAITING_MAX];
};

/* Connect one client, whatever its slot, without sending anything. */
void waiting_connect(struct waiting *line, const struct sockaddr_storage *server);

/* Let every client from one place on send its place. */
void waiting_send(struct waiting *line, uint32_t from);

/* Connect and send: `count` more clients of a slot. NULL: of no group, hence of any slot. */
void waiting_add(struct waiting *line, struct sticky_group *group, uint32_t slot,
		 const struct sockaddr_storage *server, uint32_t count);

/* Serve so many, which must come in the line's order, beginning with place `from`. */
void waiting_serve_in_order(int listening, uint32_t from, uint32_t count);

/* Serve all who wait now, in whatever order. Returns how many. */
uint32_t waiting_serve(int listening);

/* How many were not served: reset, or left alone. Closes them all, and starts a new line. */
uint32_t waiting_end(struct waiting *line);

#endif
