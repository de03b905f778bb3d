/* SPDX-License-Identifier: MIT */
/* Serves the requests of the control interface that concern slots. Each is answered at once. */
#ifndef STICKY_API_SLOT_REQUESTS_H
#define STICKY_API_SLOT_REQUESTS_H

#include <event2/http.h>

#include "supervise/supervisor.h"

/* Take the slot in the query out of service, bring it back, or give it a new worker. */
void slot_request_drain(struct supervisor *supervisor, struct evhttp_request *request);
void slot_request_ready(struct supervisor *supervisor, struct evhttp_request *request);
void slot_request_restart(struct supervisor *supervisor, struct evhttp_request *request);

/* Change the number of slots, as "slots" in the query says. */
void slot_request_scale(struct supervisor *supervisor, struct evhttp_request *request);

#endif
