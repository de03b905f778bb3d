/* SPDX-License-Identifier: MIT */
/* The answer to GET /v1/logs: what workers have printed, one JSON object on each line. */
#ifndef STICKY_API_API_LOGS_H
#define STICKY_API_API_LOGS_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/line_ring.h"

struct api_logs; /* all open answers */

struct api_logs_wish {
	uint32_t slot;	/* of whose workers; LINE_RING_ALL */
	uint32_t lines; /* how many of the last ones, at most */
	bool follows;	/* go on with new lines until the client closes its connection */
};

/* Make an empty set of answers about the lines of a ring. Returns 0 or -ENOMEM. */
int api_logs_open(struct event_base *base, struct line_ring *ring, struct api_logs **ret_logs);

/* Free all answers, without an end for their clients. NULL is allowed. */
void api_logs_close(struct api_logs *logs);

/*
 * Answer a request. A client that reads slowly gets what is still in the ring when it has read what
 * was sent: where lines are missing, it gets {"event": "lines_dropped", "lines": N}.
 */
void api_logs_serve(struct api_logs *logs, struct evhttp_request *request,
		    const struct api_logs_wish *wish);

#endif
