/* SPDX-License-Identifier: MIT */
/* Reads the query of a request, the part of its address behind '?'. */
#ifndef STICKY_API_QUERY_H
#define STICKY_API_QUERY_H

#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>

struct evkeyvalq;

/*
 * Read all names and values of the query. Returns 0, also if there is no query; or -EINVAL: the
 * query is not of the form name=value, or there is no memory. The caller clears the list by
 * evhttp_clear_headers(), after an error, too.
 */
int query_read(struct evhttp_request *request, struct evkeyvalq *ret_list);

/* Returns true if the query has this name. */
bool query_has(struct evhttp_request *request, const char *name);

/* Returns true if the query gives this name this value. */
bool query_says(struct evhttp_request *request, const char *name, const char *value);

/*
 * Read a number from 0 to `max`. Returns 0; or -EINVAL, also if the query does not have the name.
 */
int query_number(struct evhttp_request *request, const char *name, uint64_t max,
		 uint32_t *ret_number);

#endif
