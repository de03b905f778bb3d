// SPDX-License-Identifier: MIT
#include "bind/bind_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel accepts a struct sockaddr_in6 without its last member, too (RFC 2133). */
#define V6_LENGTH_MIN offsetof(struct sockaddr_in6, sin6_scope_id)

static bool is_zero(const uint8_t *bytes, size_t count)
{
	while (count)
		if (bytes[--count])
			return false;
	return true;
}

bool bind_address_is_every(const struct bind_address *address)
{
	return is_zero(address->host, sizeof(address->host));
}

/* Read an address for an IPv4 socket. AF_UNSPEC with an address of zero means AF_INET: ip(7). */
static int read_v4(const void *bytes, size_t length, struct bind_address *ret_address)
{
	struct sockaddr_in v4;
	struct bind_address address = {.is_v6 = false};

	if (length < sizeof(v4))
		return -EINVAL;
	memcpy(&v4, bytes, sizeof(v4));
	if (v4.sin_family != AF_INET && (v4.sin_family != AF_UNSPEC || v4.sin_addr.s_addr))
		return -EINVAL;
	memcpy(address.host, &v4.sin_addr, sizeof(v4.sin_addr));
	address.port = ntohs(v4.sin_port);
	*ret_address = address;
	return 0;
}

static int read_v6(const void *bytes, size_t length, bool only_v6, struct bind_address *ret_address)
{
	struct sockaddr_in6 v6 = {0};
	struct bind_address address = {.is_v6 = true};

	if (length < V6_LENGTH_MIN)
		return -EINVAL;
	memcpy(&v6, bytes, length < sizeof(v6) ? length : sizeof(v6));
	if (v6.sin6_family != AF_INET6)
		return -EINVAL;
	address.port = ntohs(v6.sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		address.is_v6 = false;
		memcpy(address.host, v6.sin6_addr.s6_addr + 12, 4);
	} else {
		memcpy(address.host, &v6.sin6_addr, sizeof(v6.sin6_addr));
		address.is_dual = bind_address_is_every(&address) && !only_v6;
		if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
			address.zone = v6.sin6_scope_id;
	}
	*ret_address = address;
	return 0;
}

int bind_address_read(const void *bytes, size_t length, bool is_v6, bool only_v6,
		      struct bind_address *ret_address)
{
	return is_v6 ? read_v6(bytes, length, only_v6, ret_address)
		     : read_v4(bytes, length, ret_address);
}

static bool is_same(const struct bind_address *a, const struct bind_address *b)
{
	return a->is_v6 == b->is_v6 && a->is_dual == b->is_dual && a->zone == b->zone &&
	       !memcmp(a->host, b->host, sizeof(a->host));
}

/* Does every connection to the address `part` arrive at `whole` as well? */
static bool covers(const struct bind_address *whole, const struct bind_address *part)
{
	return bind_address_is_every(whole) &&
	       (whole->is_dual || (whole->is_v6 == part->is_v6 && !part->is_dual));
}

enum bind_overlap bind_address_compare(const struct bind_address *asked,
				       const struct bind_address *listener)
{
	if (asked->port != listener->port)
		return BIND_OVERLAP_NONE;
	if (is_same(asked, listener))
		return BIND_OVERLAP_SAME;
	if (covers(listener, asked))
		return BIND_OVERLAP_NARROWER;
	return covers(asked, listener) ? BIND_OVERLAP_WIDER : BIND_OVERLAP_NONE;
}

int bind_address_find(const struct bind_address *asked, const struct bind_address *listeners,
		      uint32_t count, uint32_t bound)
{
	enum bind_overlap best = BIND_OVERLAP_NONE;
	bool best_is_bound = false;
	int found = -1;
	uint32_t i;

	for (i = 0; i < count; i++) {
		enum bind_overlap overlap = bind_address_compare(asked, &listeners[i]);
		bool is_bound = bound & 1u << i;

		if (overlap < best || overlap == BIND_OVERLAP_NONE ||
		    (overlap == best && (is_bound || !best_is_bound)))
			continue;
		best = overlap;
		best_is_bound = is_bound;
		found = (int)i;
	}
	return found;
}

void bind_address_format(const struct bind_address *address, char ret_text[BIND_ADDRESS_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN], zone[16] = "";

	inet_ntop(address->is_v6 ? AF_INET6 : AF_INET, address->host, host, sizeof(host));
	if (address->zone)
		snprintf(zone, sizeof(zone), "%%%u", address->zone);
	if (address->is_dual)
		snprintf(ret_text, BIND_ADDRESS_TEXT_SIZE, ":%u", address->port);
	else
		snprintf(ret_text, BIND_ADDRESS_TEXT_SIZE, address->is_v6 ? "[%s%s]:%u" : "%s%s:%u",
			 host, zone, address->port);
}
