/* SPDX-License-Identifier: MIT */
/*
 * A line of clients that wait to be served. Each client connects and sends its place in the line.
 * It is served when it gets that number back. The functions fail the test on an error. They must
 * therefore be called from the main thread.
 */
#ifndef TESTS_SUPPORT_WAITING_H
#define TESTS_SUPPORT_WAITING_H

#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"

#define WAITING_MAX 512

struct waiting {
	uint32_t count;
	uint32_t next; /* number of the next client: see client_address() */
	int clients[WAITING_MAX];
};

/* Connect one client of any slot, without sending anything. */
void waiting_connect(struct waiting *line, const struct sockaddr_storage *server);

/* Let every client from this place on send its place. */
void waiting_send(struct waiting *line, uint32_t from);

/*
 * Connect `count` more clients of a slot, and let each send its place. If group is NULL, the
 * clients may be of any slot.
 */
void waiting_add(struct waiting *line, struct sticky_group *group, uint32_t slot,
		 const struct sockaddr_storage *server, uint32_t count);

/* Serve this many clients. They must come in the order of the line, beginning with place `from`. */
void waiting_serve_in_order(int listening, uint32_t from, uint32_t count);

/* Serve all clients that wait now, in any order. Returns their number. */
uint32_t waiting_serve(int listening);

/*
 * Close all clients, and begin a new line. Returns the number of clients that were not served:
 * reset, or without an answer.
 */
uint32_t waiting_end(struct waiting *line);

#endif
