/* SPDX-License-Identifier: MIT */
/* The instance as JSON: what `status` and `where` show. */
#ifndef STICKY_API_STATUS_H
#define STICKY_API_STATUS_H

#include <jansson.h>
#include <sys/socket.h>

#include "api/instance.h"

/* The whole instance. NULL: out of memory. The caller owns the result. */
json_t *status_of_instance(const struct instance *instance);

/*
 * Where a client goes.
 *
 * text    the address as it was asked for
 * client  the same, read
 */
json_t *status_of_client(const struct instance *instance, const char *text,
			 const struct sockaddr *client);

#endif
