/* SPDX-License-Identifier: MIT */
/* Lists the clients with the most open connections as JSON, for `clients`. */
#ifndef STICKY_API_CLIENTS_H
#define STICKY_API_CLIENTS_H

#include <jansson.h>
#include <stdint.h>

#include "api/instance.h"
#include "common/error_text.h"

/*
 * List the clients with the most open connections at the instance's listeners.
 *
 * slot       list only the clients of this slot; -1: of all slots
 * limit      number of clients at most, 1 to CLIENT_LIMIT_MAX
 * ret_json   to be freed by the caller
 * ret_error  what is wrong, and what the user can do
 *
 * Returns 0 or -errno. Costs a walk over all connections of the network namespace.
 */
int clients_list(const struct instance *instance, int slot, uint32_t limit, json_t **ret_json,
		 struct error_text *ret_error);

#endif
