// SPDX-License-Identifier: MIT
#include "admin/admin_stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api/api_stream.h"
#include "api/open_answer.h"
#include "api/status.h"
#include "common/timer.h"

#define BEHIND_MAX	 (256u << 10) /* bytes that may wait for a client that does not read */
#define STALL_SECONDS	 30 /* a stream is ended if its client reads nothing for this long */
#define EVENTS_FIRST	 50 /* number of last events that a new stream begins with */
#define INTERVAL_MS	 1000
#define SLOTS_A_INTERVAL 64 /* this many more slots add INTERVAL_MS to the interval */
#define RETRY_MS	 1000
#define SOON_MS		 100 /* time from an event to the next status */

struct admin_stream {
	struct open_answer answer; /* the first member */
	struct admin_streams *streams;
	bool is_over; /* the socket was shut down: free_stream() follows */
};

struct admin_streams {
	const struct instance *instance;
	struct journal_follower *follower;
	struct event *tick;
	bool is_soon; /* the tick was brought forward by an event */
	struct open_answers list;
	uint32_t count;
};

/* ---- One stream ------------------------------------------------------------------------- */

static struct bufferevent *buffers_of(struct evhttp_request *request)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
}

static void free_stream(struct open_answer *answer)
{
	struct admin_stream *stream = (struct admin_stream *)answer;

	stream->streams->count--;
	free(stream);
}

/*
 * End a stream whose client has not read the previous events. It is called before an event is
 * added, as one status may be larger than BEHIND_MAX.
 */
static void end_if_behind(struct admin_stream *stream)
{
	struct bufferevent *buffers = buffers_of(stream->answer.request);

	if (stream->is_over || evbuffer_get_length(bufferevent_get_output(buffers)) <= BEHIND_MAX)
		return;
	stream->is_over = true;
	shutdown(bufferevent_getfd(buffers), SHUT_RDWR);
}

/* Send an event. `data` is JSON in one line. */
static void send_event(struct admin_stream *stream, const char *name, const char *data)
{
	struct evbuffer *chunk = evbuffer_new();

	end_if_behind(stream);
	if (stream->is_over || !chunk ||
	    evbuffer_add_printf(chunk, "event: %s\ndata: %s\n\n", name, data) < 0) {
		if (chunk)
			evbuffer_free(chunk);
		return;
	}
	evhttp_send_reply_chunk(stream->answer.request, chunk);
	evbuffer_free(chunk);
}

/* Let browsers connect again after RETRY_MS: without this line they would wait for some seconds. */
static void send_retry(struct admin_stream *stream)
{
	struct evbuffer *chunk = evbuffer_new();

	if (!chunk)
		return;
	if (evbuffer_add_printf(chunk, "retry: %d\n\n", RETRY_MS) > 0)
		evhttp_send_reply_chunk(stream->answer.request, chunk);
	evbuffer_free(chunk);
}

/* ---- All streams ------------------------------------------------------------------------ */

/* Send a value to one stream, or to all of them if `only` is NULL. The value is freed. */
static void send_json(struct admin_streams *streams, struct admin_stream *only, const char *name,
		      json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
	struct open_answer *answer;

	for (answer = text ? LIST_FIRST(&streams->list) : NULL; answer;
	     answer = LIST_NEXT(answer, in_list))
		if (!only || answer == &only->answer)
			send_event((struct admin_stream *)answer, name, text);
	free(text);
	json_decref(value);
}

static uint32_t interval_ms(const struct admin_streams *streams)
{
	return INTERVAL_MS *
	       (1 + supervisor_slots(streams->instance->supervisor) / SLOTS_A_INTERVAL);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct admin_streams *streams = context;

	(void)fd;
	(void)what;
	streams->is_soon = false;
	if (LIST_EMPTY(&streams->list))
		return;
	send_json(streams, NULL, "status", status_for_admin(streams->instance));
	timer_start(streams->tick, interval_ms(streams));
}

static void on_event(void *context, const json_t *event)
{
	struct admin_streams *streams = context;

	if (LIST_EMPTY(&streams->list))
		return;
	send_json(streams, NULL, "events", json_pack("[O]", (json_t *)event));
	if (!streams->is_soon && interval_ms(streams) == INTERVAL_MS)
		timer_start(streams->tick, SOON_MS);
	streams->is_soon = true;
}

static void keep_last(void *context, const json_t *event)
{
	json_t *list = context;

	json_array_append(list, (json_t *)event);
	if (json_array_size(list) > EVENTS_FIRST)
		json_array_remove(list, 0);
}

static void send_first(struct admin_streams *streams, struct admin_stream *stream)
{
	json_t *events = json_array();

	journal_replay(streams->instance->journal, keep_last, events);
	send_json(streams, stream, "status", status_for_admin(streams->instance));
	send_json(streams, stream, "events", events);
	if (!event_pending(streams->tick, EV_TIMEOUT, NULL))
		timer_start(streams->tick, interval_ms(streams));
}

static void begin_answer(struct admin_stream *stream)
{
	static const struct timeval stall = {.tv_sec = STALL_SECONDS};

	open_answer_begin(&stream->answer, "text/event-stream");
	bufferevent_set_timeouts(buffers_of(stream->answer.request), NULL, &stall);
	send_retry(stream);
}

static struct admin_stream *new_stream(struct admin_streams *streams,
				       struct evhttp_request *request)
{
	struct admin_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->streams = streams;
	open_answer_add(&streams->list, &stream->answer, request, free_stream);
	streams->count++;
	return stream;
}

void admin_streams_add(struct admin_streams *streams, struct admin_clients *clients,
		       struct evhttp_request *request)
{
	struct admin_stream *stream = NULL;

	if (streams->count < ADMIN_STREAMS_MAX)
		stream = new_stream(streams, request);
	if (!stream) {
		api_answer_error(request, HTTP_SERVUNAVAIL,
				 "too many pages follow this instance already: close one of them");
		return;
	}
	admin_clients_keep(clients, evhttp_request_get_connection(request));
	begin_answer(stream);
	send_first(streams, stream);
}

int admin_streams_open(struct event_base *base, const struct instance *instance,
		       struct admin_streams **ret_streams)
{
	struct admin_streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return -ENOMEM;
	streams->instance = instance;
	LIST_INIT(&streams->list);
	streams->tick = evtimer_new(base, on_tick, streams);
	streams->follower = journal_follow(instance->journal, on_event, streams);
	if (!streams->tick || !streams->follower) {
		admin_streams_close(streams);
		return -ENOMEM;
	}
	*ret_streams = streams;
	return 0;
}

void admin_streams_close(struct admin_streams *streams)
{
	if (!streams)
		return;
	open_answers_close(&streams->list);
	if (streams->follower)
		journal_unfollow(streams->instance->journal, streams->follower);
	if (streams->tick)
		event_free(streams->tick);
	free(streams);
}
