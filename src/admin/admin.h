/* SPDX-License-Identifier: MIT */
/*
 * Read-only HTTP for people and for monitoring (--admin), at a TCP address or a UNIX socket. Each
 * client that can connect may send requests: they change nothing, and the answers show nothing
 * secret.
 *
 * - GET /  a page that shows the instance, and follows it
 * - GET /metrics  Prometheus text, or OpenMetrics by Accept
 * - GET /healthz  200: the controller's loop answers
 * - GET /readyz  200: a slot has a ready worker; 503: none has one, or a stop was requested
 * - GET /status.json  the status document
 * - GET /where?address=A  the slot of a client
 * - GET /buckets.json  the slot of each bucket: see bucket_map.h
 * - GET /events  Server-Sent Events: see admin_stream.h
 *
 * Each answer except for streams ends its connection. The number of connections is bounded, and so
 * is the time that one may take: see admin_clients.h.
 */
#ifndef STICKY_ADMIN_ADMIN_H
#define STICKY_ADMIN_ADMIN_H

#include <event2/event.h>

#include "api/instance.h"
#include "common/error_text.h"
#include "rights/user_rights.h"

struct admin;

/*
 * Bind the address, and serve requests.
 *
 * address    HOST:PORT, [V6ADDRESS]:PORT, :PORT or unix:/PATH; copied
 * rights     of the workers' user, see admin_socket.h; must outlive ret_admin
 * instance   the instance that the answers describe; must outlive ret_admin
 * ret_error  what is wrong, and what to do
 *
 * Returns 0 or -errno.
 */
int admin_open(struct event_base *base, const char *address, const struct user_rights *rights,
	       const struct instance *instance, struct admin **ret_admin,
	       struct error_text *ret_error);

/* Close the socket and all connections, and remove the file of a UNIX socket. NULL is allowed. */
void admin_close(struct admin *admin);

#endif
