// SPDX-License-Identifier: MIT
#include "engine/socket_order.h"

#include <errno.h>

int socket_order_find(const struct socket_order *order, uint64_t cookie)
{
	uint32_t i;

	for (i = 0; i < order->count; i++)
		if (order->cookie[i] == cookie)
			return (int)i;
	return -ENOENT;
}

int socket_order_join(struct socket_order *order, uint64_t cookie)
{
	int index = socket_order_find(order, cookie);

	if (index >= 0)
		return index;
	if (order->count == SOCKET_ORDER_MAX)
		return -ENOSPC;
	order->cookie[order->count] = cookie;
	return (int)order->count++;
}

void socket_order_leave(struct socket_order *order, uint64_t cookie)
{
	int index = socket_order_find(order, cookie);

	if (index >= 0)
		order->cookie[index] = order->cookie[--order->count];
}
