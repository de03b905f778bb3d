/* SPDX-License-Identifier: MIT */
/*
 * Streams of Server-Sent Events, for the page of --admin. A stream has events of two names:
 *
 * - status  the status document: each second, less often with many slots, and soon after each event
 *   of the instance
 * - events  an array of the instance's events: first the last ones, then each new one
 *
 * The stream of a client that does not read is ended.
 */
#ifndef STICKY_ADMIN_ADMIN_STREAM_H
#define STICKY_ADMIN_ADMIN_STREAM_H

#include <event2/event.h>
#include <event2/http.h>

#include "admin/admin_clients.h"
#include "api/instance.h"

#define ADMIN_STREAMS_MAX 8

struct admin_streams;

/* Make an empty set of streams. `instance` must outlive the set. Returns 0 or -ENOMEM. */
int admin_streams_open(struct event_base *base, const struct instance *instance,
		       struct admin_streams **ret_streams);

/*
 * Answer a request by a stream, or by 503 if there are ADMIN_STREAMS_MAX already.
 *
 * clients  the connections of the server; that of the stream is never ended there
 */
void admin_streams_add(struct admin_streams *streams, struct admin_clients *clients,
		       struct evhttp_request *request);

/* Free all streams. Their clients get no end of the answer. NULL is allowed. */
void admin_streams_close(struct admin_streams *streams);

#endif
