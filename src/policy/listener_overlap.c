// SPDX-License-Identifier: MIT
#include "policy/listener_overlap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/units.h"

#define HOST_SIZE 64

/*
 * Copy the host of "HOST:PORT" or "[HOST%ZONE]:PORT". Returns false if the text has neither form.
 */
static bool copy_host(const char *text, const char *colon, char ret_host[HOST_SIZE])
{
	size_t length = (size_t)(colon - text);
	bool has_brackets = text[0] == '[';

	if (length >= HOST_SIZE || (has_brackets && colon[-1] != ']'))
		return false;
	memcpy(ret_host, text + has_brackets, length - has_brackets);
	ret_host[length - has_brackets] = '\0';
	if (has_brackets)
		ret_host[strcspn(ret_host, "%]")] = '\0';
	return true;
}

int listener_place_parse(const char *text, struct listener_place *ret_place)
{
	struct listener_place place = {.family = text[0] == '[' ? AF_INET6 : AF_INET};
	const char *colon = strrchr(text, ':');
	char host[HOST_SIZE];
	uint64_t port;

	if (!colon || parse_number(colon + 1, 1, UINT16_MAX, &port) ||
	    !copy_host(text, colon, host) || inet_pton(place.family, host, place.address) != 1)
		return -EINVAL;
	place.port = (uint16_t)port;
	*ret_place = place;
	return 0;
}

static size_t length_of(const struct listener_place *place)
{
	return place->family == AF_INET6 ? 16 : 4;
}

static bool is_wildcard(const struct listener_place *place)
{
	static const uint8_t any[16];

	return !memcmp(place->address, any, length_of(place));
}

enum overlap listener_overlap(const struct listener_place *ours,
			      const struct listener_place *foreign)
{
	bool is_family_ours = ours->family == foreign->family;

	if (ours->port != foreign->port)
		return OVERLAP_NONE;
	if (is_family_ours && !memcmp(ours->address, foreign->address, length_of(ours)))
		return OVERLAP_SAME;
	if (!is_wildcard(ours))
		return OVERLAP_NONE;
	/*
	 * Our wildcard takes the connections to any address. The kernel prefers a socket for IPv4
	 * alone to a dual-stack one.
	 */
	return is_family_ours || ours->family == AF_INET6 ? OVERLAP_MORE_SPECIFIC : OVERLAP_NONE;
}
