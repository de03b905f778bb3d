/* SPDX-License-Identifier: MIT */
/*
 * All clients and their open connections, of which there is a limited number. The end of each
 * connection is counted, and written to the trace.
 */
#ifndef TESTS_CLIENTS_CROWD_H
#define TESTS_CLIENTS_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "answers.h"
#include "connection.h"
#include "options.h"
#include "result.h"
#include "trace.h"

struct crowd {
	const struct options *options;
	struct result *result;
	struct trace *trace;
	int epoll;
	struct client *clients;		/* indexed by their source */
	struct connection *connections; /* `concurrency` places */
	uint32_t *free_places;
	uint32_t free_count;
	uint32_t connecting; /* open connections whose request has not been sent yet */
	uint64_t begun;
	unsigned int reported; /* number of errors that were printed */
};

/*
 * Make a crowd. It keeps the pointers, so their objects must live as long. A failure ends the
 * program.
 */
void crowd_init(struct crowd *crowd, const struct options *options, struct result *result,
		struct trace *trace);
void crowd_fini(struct crowd *crowd);

/* Begin a connection of the next client. There must be a free place. */
void crowd_begin(struct crowd *crowd, int64_t due_ns);

/* Wait for events, a signal, or the timeout, and handle the events. */
void crowd_wait(struct crowd *crowd, int64_t timeout_ns);

/* End the connections that are still open as timeouts. */
void crowd_time_out(struct crowd *crowd);

/* Is no connection open? */
bool crowd_is_idle(const struct crowd *crowd);

#endif
