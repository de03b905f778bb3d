/* SPDX-License-Identifier: MIT */
/* Answers of the control interface: one JSON value, or events, a line each, as they happen. */
#ifndef STICKY_API_API_STREAM_H
#define STICKY_API_API_STREAM_H

#include <event2/http.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/journal.h"

/* Answer with a value, which is taken over; NULL stands for: out of memory. */
void api_answer(struct evhttp_request *request, int code, json_t *json);

/* Answer {"error": what}. */
void api_answer_error(struct evhttp_request *request, int code, const char *what);

/*
 * The client of a request that was not answered yet went away, as a connection's close callback
 * says. libevent has parted the two where we were still to answer: then the request is ours.
 */
void api_forget(struct evhttp_request *request);

struct api_streams; /* all that are open */
struct api_stream;  /* one */

/* Returns 0 or -ENOMEM. */
int api_streams_open(struct journal *journal, struct api_streams **ret_streams);

/* NULL is allowed. */
void api_streams_close(struct api_streams *streams);

/*
 * Answer with the events that are kept.
 * follows  and with those that come, until the client goes away
 */
void api_stream_events(struct api_streams *streams, struct evhttp_request *request, bool follows);

/* Keep the events that come from now on for a request. NULL: out of memory. */
struct api_stream *api_stream_hold(struct api_streams *streams, struct evhttp_request *request);

/* The request is answered otherwise. NULL is allowed. */
void api_stream_drop(struct api_streams *streams, struct api_stream *stream);

/*
 * Answer with the events of a reload, those kept so far first.
 * drained  up to the end of the workers that it replaced; else up to its own end
 */
void api_stream_reload(struct api_stream *stream, uint32_t reload, bool drained);

#endif
