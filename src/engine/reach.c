// SPDX-License-Identifier: MIT
#include "engine/reach.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

struct ways {
	struct reach *items;
	uint32_t count;
	in_port_t port; /* of the listener, in network order */
};

static void add_v4(struct ways *ways, struct in_addr from, struct in_addr to)
{
	struct reach *way = &ways->items[ways->count++];

	*way = (struct reach){.length = sizeof(struct sockaddr_in)};
	*(struct sockaddr_in *)&way->from =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = from};
	*(struct sockaddr_in *)&way->to =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = to, .sin_port = ways->port};
}

static void add_v6(struct ways *ways, const struct sockaddr_in6 *from,
		   const struct sockaddr_in6 *to)
{
	struct reach *way = &ways->items[ways->count++];
	struct sockaddr_in6 *v6;

	*way = (struct reach){.length = sizeof(struct sockaddr_in6)};
	v6 = (struct sockaddr_in6 *)&way->from;
	*v6 = *from;
	v6->sin6_port = 0;
	v6 = (struct sockaddr_in6 *)&way->to;
	*v6 = *to;
	v6->sin6_port = ways->port;
}

/* All of 127.0.0.0/8 is local. A process that listens at 127.0.0.1 takes the first way alone. */
static void add_loopback_v4(struct ways *ways)
{
	const struct in_addr from = {.s_addr = htonl(INADDR_LOOPBACK)};
	uint32_t number;

	for (number = 0; ways->count < REACH_MAX; number++)
		add_v4(ways, from, (struct in_addr){.s_addr = htonl(INADDR_LOOPBACK + number)});
}

static void add_loopback(struct ways *ways, const struct listener *listener)
{
	const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	bool is_v6 = listener->address.ss_family == AF_INET6;

	if (is_v6)
		add_v6(ways, &v6, &v6);
	if (!is_v6 || listener->dual_stack)
		add_loopback_v4(ways);
}

/* The first way of a family is from an address to itself. The others are from there, too. */
static void add_address(struct ways *ways, const struct sockaddr *address)
{
	const void *from = address;
	uint32_t i;

	for (i = ways->count; i > 0; i--)
		if (ways->items[i - 1].from.ss_family == address->sa_family)
			from = &ways->items[i - 1].from;
	if (address->sa_family == AF_INET6)
		add_v6(ways, from, (const void *)address);
	else
		add_v4(ways, ((const struct sockaddr_in *)from)->sin_addr,
		       ((const struct sockaddr_in *)(const void *)address)->sin_addr);
}

static void add_device(struct ways *ways, const struct listener *listener)
{
	char name[IF_NAMESIZE];
	struct ifaddrs *all, *one;
	bool is_v6 = listener->address.ss_family == AF_INET6;

	if (!if_indextoname(listener->device, name) || getifaddrs(&all))
		return;
	for (one = all; one && ways->count < REACH_MAX; one = one->ifa_next) {
		int family = one->ifa_addr ? one->ifa_addr->sa_family : AF_UNSPEC;

		if (strcmp(one->ifa_name, name) != 0)
			continue;
		if ((family == AF_INET6 && is_v6) ||
		    (family == AF_INET && (!is_v6 || listener->dual_stack)))
			add_address(ways, one->ifa_addr);
	}
	freeifaddrs(all);
}

uint32_t reach_find(const struct listener *listener, struct reach ret_ways[REACH_MAX])
{
	const struct sockaddr_in6 *v6 = (const void *)&listener->address;
	const struct sockaddr_in *v4 = (const void *)&listener->address;
	bool is_v6 = listener->address.ss_family == AF_INET6;
	struct ways ways = {.items = ret_ways, .port = is_v6 ? v6->sin6_port : v4->sin_port};

	if (is_v6 && !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		add_v6(&ways, v6, v6);
	else if (!is_v6 && v4->sin_addr.s_addr != htonl(INADDR_ANY))
		add_v4(&ways, v4->sin_addr, v4->sin_addr);
	else if (listener->device)
		add_device(&ways, listener);
	if (!ways.count)
		add_loopback(&ways, listener);
	return ways.count;
}
