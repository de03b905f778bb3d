/* SPDX-License-Identifier: MIT */
/* Serves GET /v1/clients. */
#ifndef STICKY_API_API_CLIENTS_H
#define STICKY_API_API_CLIENTS_H

#include <event2/http.h>

#include "api/instance.h"

#define CLIENT_LIMIT_DEFAULT 20

/* Read `slot` and `limit` from the query, and answer with the list, or with an error. */
void api_serve_clients(const struct instance *instance, struct evhttp_request *request);

#endif
