// SPDX-License-Identifier: MIT
#include "node/query_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool query_is_every_address(const struct cluster_query *query)
{
	return (!query->address[0] || !strcmp(query->address, "::")) &&
	       !(query->flags & CLUSTER_IPV6_ONLY);
}

void query_format_exact(const struct cluster_query *query, size_t size, char *ret_text)
{
	const char *address = query->address[0] ? query->address : "::";

	snprintf(ret_text, size, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, query->port);
}

void query_format_address(const struct cluster_query *query, size_t size, char *ret_text)
{
	if (query_is_every_address(query))
		snprintf(ret_text, size, ":%d", query->port);
	else
		query_format_exact(query, size, ret_text);
}

bool query_is_numeric(const char *address)
{
	struct in_addr v4;

	return !address[0] || strchr(address, ':') || inet_pton(AF_INET, address, &v4) == 1;
}

bool query_is_narrower(const struct cluster_query *query, const char *listens)
{
	static const struct in6_addr every;
	struct in6_addr address = every;
	int family = strchr(query->address, ':') ? AF_INET6 : AF_INET;

	return inet_pton(family, query->address, &address) == 1 &&
	       memcmp(&address, &every, sizeof(every)) != 0 &&
	       (!strncmp(listens, "[::]:", strlen("[::]:")) ||
		!strncmp(listens, "0.0.0.0:", strlen("0.0.0.0:")));
}
