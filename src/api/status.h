/* SPDX-License-Identifier: MIT */
/* Describes the state of the instance as JSON, for `status` and `where`. */
#ifndef STICKY_API_STATUS_H
#define STICKY_API_STATUS_H

#include <jansson.h>
#include <sys/socket.h>

#include "api/instance.h"

/* Returns the state of the whole instance, to be freed by the caller; NULL if out of memory. */
json_t *status_of_instance(const struct instance *instance);

/*
 * The same for --admin: the members `last_line` are null, as not all that can connect there may see
 * the output of workers.
 */
json_t *status_for_admin(const struct instance *instance);

/* Returns the source of the client's address, a value of --behind-proxy: "no", "xff", "proxy". */
const char *status_behind_proxy(const struct instance *instance);

/*
 * Find the slot that a client belongs to.
 *
 * text    the client's address as the request has it
 * client  the same address, parsed
 */
json_t *status_of_client(const struct instance *instance, const char *text,
			 const struct sockaddr *client);

#endif
