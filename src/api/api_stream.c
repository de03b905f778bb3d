// SPDX-License-Identifier: MIT
#include "api/api_stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>

#include "api/open_answer.h"

/* If a client does not read, its stream ends when this many bytes wait for it. */
#define BEHIND_MAX (4u << 20)

struct api_stream {
	struct open_answer answer; /* the first member */
	struct api_streams *streams;
	struct journal_follower *follower;
	/* events kept until it is known which of them are wanted; NULL: this is known */
	json_t *kept;
	uint32_t reload;  /* send the events of this reload only; 0: all events */
	const char *last; /* the name of the event that ends the stream; NULL: none */
	bool is_over;
};

struct api_streams {
	struct journal *journal;
	struct open_answers list;
};

/* ---- One value --------------------------------------------------------------------- */

void api_answer(struct evhttp_request *request, int code, json_t *json)
{
	struct evbuffer *body = evbuffer_new();
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;

	if (!text || !body) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				  "application/json");
		evbuffer_add_printf(body, "%s\n", text);
		evhttp_send_reply(request, code, NULL, body);
	}
	if (body)
		evbuffer_free(body);
	free(text);
	json_decref(json);
}

void api_answer_error(struct evhttp_request *request, int code, const char *what)
{
	api_answer(request, code, json_pack("{s:s}", "error", what));
}

/* ---- Streams ----------------------------------------------------------------------- */

static void free_stream(struct open_answer *answer)
{
	struct api_stream *stream = (struct api_stream *)answer;

	if (stream->follower)
		journal_unfollow(stream->streams->journal, stream->follower);
	json_decref(stream->kept);
	free(stream);
}

static size_t behind(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct bufferevent *stream = evhttp_connection_get_bufferevent(connection);

	return evbuffer_get_length(bufferevent_get_output(stream));
}

static void write_event(struct api_stream *stream, const json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT);
	struct evbuffer *line = evbuffer_new();

	if (text && line) {
		evbuffer_add_printf(line, "%s\n", text);
		evhttp_send_reply_chunk(stream->answer.request, line);
	}
	if (line)
		evbuffer_free(line);
	free(text);
	if (behind(stream->answer.request) > BEHIND_MAX)
		stream->is_over = true;
}

static bool is_wanted(const struct api_stream *stream, const json_t *event)
{
	return !stream->reload ||
	       json_integer_value(json_object_get(event, "reload")) == stream->reload;
}

static void take_event(struct api_stream *stream, const json_t *event)
{
	if (stream->is_over || !is_wanted(stream, event))
		return;
	write_event(stream, event);
	if (stream->last &&
	    !strcmp(json_string_value(json_object_get(event, "event")), stream->last))
		stream->is_over = true;
}

/* End the stream, and free it, if it is over. Returns true if it was. */
static bool end_if_over(struct api_stream *stream)
{
	if (!stream->is_over)
		return false;
	open_answer_end(&stream->answer);
	return true;
}

static void on_event(void *context, const json_t *event)
{
	struct api_stream *stream = context;

	if (stream->kept) {
		json_array_append(stream->kept, (json_t *)event);
		return;
	}
	take_event(stream, event);
	end_if_over(stream);
}

struct api_stream *api_stream_hold(struct api_streams *streams, struct evhttp_request *request)
{
	struct api_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	*stream = (struct api_stream){.streams = streams, .kept = json_array()};
	open_answer_add(&streams->list, &stream->answer, request, free_stream);
	stream->follower = journal_follow(streams->journal, on_event, stream);
	if (!stream->kept || !stream->follower) {
		open_answer_drop(&stream->answer);
		return NULL;
	}
	return stream;
}

void api_stream_drop(struct api_streams *streams, struct api_stream *stream)
{
	(void)streams;
	if (stream)
		open_answer_drop(&stream->answer);
}

/* Begin the answer with the events kept so far. Returns false if one of them ended the stream. */
static bool release(struct api_stream *stream)
{
	json_t *kept = stream->kept;
	json_t *event;
	size_t i;

	stream->kept = NULL;
	open_answer_begin(&stream->answer, "application/x-ndjson");
	json_array_foreach(kept, i, event)
	{
		take_event(stream, event);
	}
	json_decref(kept);
	return !end_if_over(stream);
}

void api_stream_reload(struct api_stream *stream, uint32_t reload, bool drained)
{
	stream->reload = reload;
	stream->last = drained ? "reload_drained" : "reload_ended";
	release(stream);
}

static void keep(void *context, const json_t *event)
{
	json_array_append(((struct api_stream *)context)->kept, (json_t *)event);
}

void api_stream_events(struct api_streams *streams, struct evhttp_request *request, bool follows)
{
	struct api_stream *stream = api_stream_hold(streams, request);

	if (!stream) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	journal_replay(streams->journal, keep, stream);
	if (release(stream) && !follows) {
		stream->is_over = true;
		end_if_over(stream);
	}
}

int api_streams_open(struct journal *journal, struct api_streams **ret_streams)
{
	struct api_streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return -ENOMEM;
	streams->journal = journal;
	LIST_INIT(&streams->list);
	*ret_streams = streams;
	return 0;
}

void api_streams_close(struct api_streams *streams)
{
	if (!streams)
		return;
	open_answers_close(&streams->list);
	free(streams);
}
