// SPDX-License-Identifier: MIT
#include "values.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static const char *const family_names[FAMILY_COUNT] = {
	[FAMILY_4] = "4", [FAMILY_6] = "6", [FAMILY_MAPPED] = "mapped"};

double values_positive(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0) || value > 1e6)
		failure_usage("not a positive number", text);
	return value;
}

uint32_t values_count(const char *text, unsigned long limit)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || value < 1 || value > limit)
		failure_usage("not a number in range", text);
	return (uint32_t)value;
}

uint32_t values_first(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		failure_usage("not an IPv4 address", text);
	return sources_index(FAMILY_4, text);
}

enum family values_family(const char *text)
{
	int family;

	for (family = 0; family < FAMILY_COUNT; family++)
		if (!strcmp(text, family_names[family]))
			return (enum family)family;
	failure_usage("not a family", text);
}

/* Split "HOST:PORT". Returns the port in network order. */
static uint16_t split_target(const char *text, char ret_host[INET6_ADDRSTRLEN])
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[' && colon && colon > text + 1 && colon[-1] == ']';
	size_t length = colon ? (size_t)(colon - text) - (bracketed ? 2 : 0) : 0;

	if (!length || length >= INET6_ADDRSTRLEN)
		failure_usage("not ADDRESS:PORT", text);
	memcpy(ret_host, text + bracketed, length);
	ret_host[length] = '\0';
	return htons((uint16_t)values_count(colon + 1, UINT16_MAX));
}

socklen_t values_target(const char *text, enum family family, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in6 *v6 = (void *)ret_address;
	struct sockaddr_in *v4 = (void *)ret_address;
	char host[INET6_ADDRSTRLEN];
	uint16_t port = split_target(text, host);
	struct in_addr v4_address;

	if (family == FAMILY_6) {
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
			failure_usage("not an IPv6 address", host);
		return sizeof(*v6);
	}
	if (inet_pton(AF_INET, host, &v4_address) != 1)
		failure_usage("not an IPv4 address", host);
	if (family == FAMILY_MAPPED) {
		sources_map_v4(v4_address.s_addr, port, v6);
		return sizeof(*v6);
	}
	*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = v4_address};
	return sizeof(*v4);
}
