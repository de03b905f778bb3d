/* SPDX-License-Identifier: MIT */
/* The answer to GET /v1/logs: what workers have printed, one JSON object on each line. */
#ifndef STICKY_API_API_LOGS_H
#define STICKY_API_API_LOGS_H

#include <event2/event.h>
#include <event2/http.h>

#include "api/instance.h"

struct api_logs; /* all open answers */

/*
 * Make an empty set of answers about the lines in the ring of an instance, which must outlive it.
 * Returns 0 or -ENOMEM.
 */
int api_logs_open(struct event_base *base, const struct instance *instance,
		  struct api_logs **ret_logs);

/* Free all answers, without an end for their clients. NULL is allowed. */
void api_logs_close(struct api_logs *logs);

/*
 * Answer a request. Its query may have "slot", "lines" (how many of the last ones) and "follow=1"
 * (go on with new lines until the client closes its connection).
 *
 * A client that reads slowly gets what is still in the ring when it has read what was sent: where
 * lines are missing, it gets {"event": "lines_dropped", "lines": N}.
 */
void api_logs_serve(struct api_logs *logs, struct evhttp_request *request);

#endif
