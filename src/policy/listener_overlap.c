// SPDX-License-Identifier: MIT
#include "policy/listener_overlap.h"

#include <string.h>
#include <sys/socket.h>

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
	/* Ours takes what comes to any address; a socket for IPv4 alone goes before a dual-stack
	 * one. */
	return is_family_ours || ours->family == AF_INET6 ? OVERLAP_MORE_SPECIFIC : OVERLAP_NONE;
}
