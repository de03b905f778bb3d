// SPDX-License-Identifier: MIT
#include "api/api_logs.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_stream.h"
#include "api/open_answer.h"
#include "api/query.h"
#include "common/line_ring.h"
#include "common/ring_line_json.h"
#include "common/units.h"

#define LINES_DEFAULT 100
#define CHUNK_MAX     (64u * 1024) /* bytes of a chunk; the next one is sent when it was read */

/* The values of a request's query. */
struct wish {
	uint32_t slot;	/* the slot whose lines are sent; LINE_RING_ALL: all slots */
	uint32_t lines; /* number of last lines to begin with, at most */
	bool follows;
};

struct answer {
	struct open_answer open; /* the first member */
	struct api_logs *logs;
	struct wish wish;
	uint64_t number;  /* number of the next line, as the ring counts all lines */
	uint64_t awaited; /* the next line's number in the wished slot or of all; 0: not known */
	bool is_sending;
};

struct api_logs {
	const struct instance *instance;
	struct line_ring *ring;
	struct open_answers list;
	struct event *news; /* lines were added in this turn of the loop */
};

static void free_answer(struct open_answer *answer)
{
	free(answer);
}

/* ---- Lines ------------------------------------------------------------------------ */

static void add_json(struct evbuffer *chunk, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text)
		evbuffer_add_printf(chunk, "%s\n", text);
	free(text);
	json_decref(json);
}

/* Tell how many lines the ring has dropped before they could be sent, if any. */
static void add_gap(const struct answer *answer, const struct ring_line *line,
		    struct evbuffer *chunk)
{
	bool is_of_all = answer->wish.slot == LINE_RING_ALL;
	uint64_t number = is_of_all ? line->number : line->slot_number;

	if (answer->awaited && number > answer->awaited)
		add_json(chunk, json_pack("{s:s, s:I}", "event", "lines_dropped", "lines",
					  (json_int_t)(number - answer->awaited)));
}

static void add_line(struct answer *answer, const struct ring_line *line, struct evbuffer *chunk)
{
	bool is_of_all = answer->wish.slot == LINE_RING_ALL;

	add_gap(answer, line, chunk);
	add_json(chunk, ring_line_json(line));
	answer->number = line->number + 1;
	answer->awaited = (is_of_all ? line->number : line->slot_number) + 1;
}

static void fill(struct answer *answer, struct evbuffer *chunk)
{
	uint32_t slot = answer->wish.slot;
	const struct ring_line *line = line_ring_from(answer->logs->ring, slot, answer->number);

	for (; line && evbuffer_get_length(chunk) < CHUNK_MAX; line = line_ring_next(line, slot))
		add_line(answer, line, chunk);
}

static void send_next(struct answer *answer);

static void on_sent(struct evhttp_connection *connection, void *context)
{
	struct answer *answer = context;

	(void)connection;
	answer->is_sending = false;
	send_next(answer);
}

/* Send the next lines, when the client has read the previous ones. May free the answer. */
static void send_next(struct answer *answer)
{
	struct evbuffer *chunk;

	if (answer->is_sending)
		return;
	chunk = evbuffer_new();
	if (chunk)
		fill(answer, chunk);
	if (chunk && evbuffer_get_length(chunk)) {
		answer->is_sending = true;
		evhttp_send_reply_chunk_with_cb(answer->open.request, chunk, on_sent, answer);
	} else if (!answer->wish.follows) {
		open_answer_end(&answer->open);
	}
	if (chunk)
		evbuffer_free(chunk);
}

/* ---- The set of answers ----------------------------------------------------------- */

static void on_news(evutil_socket_t fd, short what, void *context)
{
	struct api_logs *logs = context;
	struct open_answer *answer = LIST_FIRST(&logs->list), *next;

	(void)fd;
	(void)what;
	for (; answer; answer = next) {
		next = LIST_NEXT(answer, in_list);
		send_next((struct answer *)answer);
	}
}

static void on_added(void *context)
{
	struct api_logs *logs = context;

	if (!LIST_EMPTY(&logs->list))
		event_active(logs->news, EV_TIMEOUT, 0);
}

int api_logs_open(struct event_base *base, const struct instance *instance,
		  struct api_logs **ret_logs)
{
	struct api_logs *logs = calloc(1, sizeof(*logs));

	if (!logs)
		return -ENOMEM;
	logs->instance = instance;
	logs->ring = instance->ring;
	LIST_INIT(&logs->list);
	logs->news = evtimer_new(base, on_news, logs);
	if (!logs->news) {
		free(logs);
		return -ENOMEM;
	}
	line_ring_watch(logs->ring, on_added, logs);
	*ret_logs = logs;
	return 0;
}

void api_logs_close(struct api_logs *logs)
{
	if (!logs)
		return;
	line_ring_watch(logs->ring, NULL, NULL);
	open_answers_close(&logs->list);
	event_free(logs->news);
	free(logs);
}

/* ---- A request -------------------------------------------------------------------- */

/* Returns what is wrong with the query, or NULL. */
static const char *read_wish(const struct api_logs *logs, struct evkeyvalq *query,
			     struct wish *ret_wish)
{
	const char *slot = evhttp_find_header(query, "slot");
	const char *lines = evhttp_find_header(query, "lines");
	const char *follow = evhttp_find_header(query, "follow");
	uint64_t slot_number = LINE_RING_ALL, line_number = LINES_DEFAULT;

	if (slot && (parse_number(slot, 0, STICKY_SLOTS_LIMIT, &slot_number) ||
		     slot_number >= supervisor_slots(logs->instance->supervisor)))
		return "logs: there is no such slot; 'stickyctl status' shows the slots";
	if (lines && parse_number(lines, 0, UINT32_MAX, &line_number))
		return "logs: the number of lines must be a whole number";
	*ret_wish = (struct wish){.slot = (uint32_t)slot_number,
				  .lines = (uint32_t)line_number,
				  .follows = follow && !strcmp(follow, "1")};
	return NULL;
}

static const char *parse(const struct api_logs *logs, struct evhttp_request *request,
			 struct wish *ret_wish)
{
	struct evkeyvalq query;
	const char *problem;

	if (query_read(request, &query))
		problem = "logs: the query cannot be read";
	else
		problem = read_wish(logs, &query, ret_wish);
	evhttp_clear_headers(&query);
	return problem;
}

static void fulfil(struct api_logs *logs, struct evhttp_request *request, const struct wish *wish)
{
	struct answer *answer = calloc(1, sizeof(*answer));

	if (!answer) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	*answer = (struct answer){.logs = logs,
				  .wish = *wish,
				  .number = line_ring_last(logs->ring, wish->slot, wish->lines)};
	/* If no line is there yet, the number of the next one is known already. */
	if (!line_ring_from(logs->ring, wish->slot, answer->number))
		answer->awaited = line_ring_count(logs->ring, wish->slot) + 1;
	open_answer_add(&logs->list, &answer->open, request, free_answer);
	open_answer_begin(&answer->open, "application/x-ndjson");
	send_next(answer);
}

void api_logs_serve(struct api_logs *logs, struct evhttp_request *request)
{
	struct wish wish;
	const char *problem = parse(logs, request, &wish);

	if (problem)
		api_answer_error(request, HTTP_BADREQUEST, problem);
	else if (logs->instance->config->worker_log == WORKER_LOG_INHERIT)
		api_answer_error(request, 409,
				 "logs: with --worker-log=inherit the workers write to stickyctl's "
				 "own output\nlook there, or start it with --worker-log=raw");
	else
		fulfil(logs, request, &wish);
}
