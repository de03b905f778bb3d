/* SPDX-License-Identifier: MIT */
/*
 * Lists the connections that wait in the accept queues of all workers, as the kernel reports them.
 */
#ifndef STICKY_LISTEN_WAITING_LIST_H
#define STICKY_LISTEN_WAITING_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "sticky.h"

struct waiting {
	uint64_t cookie;
	uint32_t slot; /* slot of the client, by the present table */
	uint16_t port;
};

struct waiting_list {
	struct waiting *items; /* by ascending cookies; NULL: none */
	size_t count;
	size_t room;
	struct sticky_group *group;
};

/*
 * List the connections that wait at the group's ports.
 *
 * ret_list  to be freed by waiting_list_fini(), also on an error
 *
 * Returns 0, -ENOMEM, -E2BIG (more than a million), or another -errno. Costs a walk over all
 * connections of the network namespace.
 */
int waiting_list_read(struct sticky_group *group, struct waiting_list *ret_list);

/*
 * Copy the cookies of the connections at a port whose clients belong to a slot. If the port is 0,
 * copy those of all connections.
 *
 * ret_cookies  list->count elements, ascending
 *
 * Returns their number.
 */
size_t waiting_list_select(const struct waiting_list *list, uint32_t slot, uint16_t port,
			   uint64_t *ret_cookies);

void waiting_list_fini(struct waiting_list *list);

#endif
