/* SPDX-License-Identifier: MIT */
/* Answers a request for metrics, on the control socket and on that of --admin. */
#ifndef STICKY_API_METRICS_ANSWER_H
#define STICKY_API_METRICS_ANSWER_H

#include <event2/http.h>

#include "api/instance.h"

/* Answer with the instance's metrics, in the format that the request's header Accept asks for. */
void metrics_answer(const struct instance *instance, struct evhttp_request *request);

#endif
