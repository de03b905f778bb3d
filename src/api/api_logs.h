/* SPDX-License-Identifier: MIT */
/* Answers GET /v1/logs with the lines that workers have printed, one JSON object on each line. */
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

/* Free all answers. Their clients get no end of the answer. NULL is allowed. */
void api_logs_close(struct api_logs *logs);

/*
 * Answer a request. Its query may have "slot", "lines" (the number of last lines to begin with) and
 * "follow=1" (go on with new lines until the client closes its connection).
 *
 * The ring may drop lines before a slow client gets them. The client gets {"event":
 * "lines_dropped", "lines": N} in their place.
 */
void api_logs_serve(struct api_logs *logs, struct evhttp_request *request);

#endif
