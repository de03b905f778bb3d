// SPDX-License-Identifier: MIT
#include "api/open_answer.h"

void api_forget(struct evhttp_request *request)
{
	if (!evhttp_request_get_connection(request))
		evhttp_request_free(request);
}

void open_answer_add(struct open_answers *list, struct open_answer *answer,
		     struct evhttp_request *request, open_answer_free_fn *free)
{
	answer->request = request;
	answer->free = free;
	LIST_INSERT_HEAD(list, answer, in_list);
}

void open_answer_drop(struct open_answer *answer)
{
	LIST_REMOVE(answer, in_list);
	answer->free(answer);
}

static void on_client_gone(struct evhttp_connection *connection, void *context)
{
	struct open_answer *answer = context;
	struct evhttp_request *request = answer->request;

	(void)connection;
	open_answer_drop(answer);
	api_forget(request);
}

void open_answer_begin(struct open_answer *answer, const char *content_type)
{
	struct evhttp_request *request = answer->request;
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	evhttp_connection_set_closecb(connection, on_client_gone, answer);
	evhttp_connection_set_timeout(connection, 0);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", content_type);
	evhttp_send_reply_start(request, HTTP_OK, NULL);
}

static void drop_without_callback(struct open_answer *answer)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(answer->request), NULL, NULL);
	open_answer_drop(answer);
}

void open_answer_end(struct open_answer *answer)
{
	struct evhttp_request *request = answer->request;

	drop_without_callback(answer);
	evhttp_send_reply_end(request);
}

void open_answers_close(struct open_answers *list)
{
	struct open_answer *answer = LIST_FIRST(list), *next;

	for (; answer; answer = next) {
		next = LIST_NEXT(answer, in_list);
		drop_without_callback(answer);
	}
}
