/* SPDX-License-Identifier: MIT */
/* Sends answers of the control interface: one JSON value, or a stream of events, one line each. */
#ifndef STICKY_API_API_STREAM_H
#define STICKY_API_API_STREAM_H

#include <event2/http.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/journal.h"

/* Answer with a JSON value, and free it. NULL is answered as an internal error. */
void api_answer(struct evhttp_request *request, int code, json_t *json);

/* Answer with {"error": what}. */
void api_answer_error(struct evhttp_request *request, int code, const char *what);

struct api_streams; /* all open streams */
struct api_stream;  /* one stream */

/* Make an empty set of streams of the journal's events. Returns 0 or -ENOMEM. */
int api_streams_open(struct journal *journal, struct api_streams **ret_streams);

/* Free all streams, without an answer to their clients. NULL is allowed. */
void api_streams_close(struct api_streams *streams);

/*
 * Answer with the events that the journal has kept.
 *
 * follows  go on with new events until the client closes its connection
 */
void api_stream_events(struct api_streams *streams, struct evhttp_request *request, bool follows);

/* Keep the events from now on, for the answer to a request. Returns NULL if out of memory. */
struct api_stream *api_stream_hold(struct api_streams *streams, struct evhttp_request *request);

/* Drop a held stream: the request gets another answer. `stream` may be NULL. */
void api_stream_drop(struct api_streams *streams, struct api_stream *stream);

/*
 * Answer with the events of one reload, beginning with those kept so far.
 *
 * reload   the reload's number
 * drained  go on until the workers that the reload replaced have ended; else until the reload ends
 */
void api_stream_reload(struct api_stream *stream, uint32_t reload, bool drained);

#endif
