/* SPDX-License-Identifier: MIT */
/*
 * All clients, and their connections that are open: a bounded number of places. How each
 * connection ended is counted, and traced.
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
	struct client *clients;		/* by the index of their source */
	struct connection *connections; /* `concurrency` places */
	uint32_t *free_places;
	uint32_t free_count;
	uint32_t connecting; /* open, and their request not sent yet */
	uint64_t begun;
	unsigned int reported; /* errors that were told in words */
};

/* The crowd keeps the pointers. A failure ends the program. */
void crowd_init(struct crowd *crowd, const struct options *options, struct result *result,
		struct trace *trace);
void crowd_fini(struct crowd *crowd);

/* Begin a connection of the client whose turn it is. There must be a free place. */
void crowd_begin(struct crowd *crowd, int64_t due_ns);

/* Wait until something comes, a signal too, or the time is over, and go on with what came. */
void crowd_wait(struct crowd *crowd, int64_t timeout_ns);

/* End those that are still open, as timeouts. */
void crowd_time_out(struct crowd *crowd);

/* Is nothing open? */
bool crowd_is_idle(const struct crowd *crowd);

#endif
