/* SPDX-License-Identifier: MIT */
/* Answers "where?address=A" with the slot that a client belongs to. */
#ifndef STICKY_API_WHERE_ANSWER_H
#define STICKY_API_WHERE_ANSWER_H

#include <event2/http.h>

#include "api/instance.h"

/* Answer a request. Without an IP address in the query, the answer is the error 400. */
void where_answer(const struct instance *instance, struct evhttp_request *request);

#endif
