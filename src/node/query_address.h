/* SPDX-License-Identifier: MIT */
/* The address in a query of a Node.js worker. Pure. */
#ifndef STICKY_NODE_QUERY_ADDRESS_H
#define STICKY_NODE_QUERY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "node/cluster_messages.h"

/* Does the query ask for all addresses of both families? */
bool query_is_every_address(const struct cluster_query *query);

/* Write the address in the form of sticky_group_listener_address(). An empty address means all. */
void query_format_exact(const struct cluster_query *query, size_t size, char *ret_text);

/* Write "127.0.0.1:3000" or "[::1]:3000"; for all addresses of both families ":3000". */
void query_format_address(const struct cluster_query *query, size_t size, char *ret_text);

/*
 * Is this an address, and not a name? Node.js resolves a name before it asks. The controller must
 * not do this, as it would wait for name servers. An address with a ':' is never taken for a name.
 */
bool query_is_numeric(const char *address);

/*
 * Does the query ask for one address, where the listener has all of its port?
 *
 * listens  the address of the listener, "[::]:3000" or "0.0.0.0:3000"
 */
bool query_is_narrower(const struct cluster_query *query, const char *listens);

#endif
