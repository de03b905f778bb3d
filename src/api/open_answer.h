/* SPDX-License-Identifier: MIT */
/*
 * Answers that stay open: lines follow as long as the client is there. A struct open_answer is the
 * first member of the struct for one answer.
 */
#ifndef STICKY_API_OPEN_ANSWER_H
#define STICKY_API_OPEN_ANSWER_H

#include <event2/http.h>
#include <sys/queue.h>

struct open_answer;
LIST_HEAD(open_answers, open_answer);

/*
 * Called when an answer is over, to free the struct that contains it. The request is not touched.
 */
typedef void open_answer_free_fn(struct open_answer *answer);

struct open_answer {
	LIST_ENTRY(open_answer) in_list;
	struct evhttp_request *request;
	open_answer_free_fn *free;
};

/*
 * Forget a request that has not been answered yet. Called by the close callback of its connection.
 * If libevent has detached the request from the connection, the request is freed here.
 */
void api_forget(struct evhttp_request *request);

/* Put an answer into a list. Nothing is sent yet. */
void open_answer_add(struct open_answers *list, struct open_answer *answer,
		     struct evhttp_request *request, open_answer_free_fn *free);

/*
 * Send the head of the answer. The answer has no time limit, as the next line may come late. When
 * the client closes its connection, the answer is freed.
 */
void open_answer_begin(struct open_answer *answer, const char *content_type);

/* Send the end of an answer that has begun, and free it. */
void open_answer_end(struct open_answer *answer);

/* Free an answer that has not begun: its request gets another one. */
void open_answer_drop(struct open_answer *answer);

/* Free all answers of a list. Their clients get no end. */
void open_answers_close(struct open_answers *list);

#endif
