// SPDX-License-Identifier: MIT
#include "listen/waiting_list.h"

#include <errno.h>
#include <stdlib.h>

#include "procfs/sockdiag.h"
#include "listen/listeners.h"

#define WAITING_MAX (1u << 20)

static int add(void *context, const struct sockdiag_waiting *waiting)
{
	struct waiting_list *list = context;
	struct sticky_where where = {.size = sizeof(where)};

	if (sticky_group_where(list->group, (const void *)&waiting->peer, &where))
		return 0;
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct waiting *items;

		if (room > WAITING_MAX)
			return -E2BIG;
		items = realloc(list->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = (struct waiting){
		.cookie = waiting->cookie, .slot = where.slot, .port = waiting->port};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

int waiting_list_read(struct sticky_group *group, struct waiting_list *ret_list)
{
	uint16_t ports[STICKY_LISTENERS_LIMIT];
	size_t port_count = listen_ports(group, ports);
	int error;

	*ret_list = (struct waiting_list){.group = group};
	error = sockdiag_waiting(ports, port_count, add, ret_list);
	if (!error && ret_list->count)
		qsort(ret_list->items, ret_list->count, sizeof(*ret_list->items), compare);
	return error;
}

size_t waiting_list_select(const struct waiting_list *list, uint32_t slot, uint16_t port,
			   uint64_t *ret_cookies)
{
	size_t count = 0, i;

	for (i = 0; i < list->count; i++)
		if (!port || (list->items[i].slot == slot && list->items[i].port == port))
			ret_cookies[count++] = list->items[i].cookie;
	return count;
}

void waiting_list_fini(struct waiting_list *list)
{
	free(list->items);
	*list = (struct waiting_list){0};
}
