// SPDX-License-Identifier: MIT
#include "sources.h"

#include <arpa/inet.h>
#include <string.h>

#define FIRST_V4 0x7f010001u /* 127.1.0.1 */
#define V6_32	 0x20010db8u /* 2001:db8::/32, for documentation: RFC 3849 */

void sources_map_v4(uint32_t address, uint16_t port, struct sockaddr_in6 *ret_address)
{
	*ret_address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
	ret_address->sin6_addr.s6_addr[10] = 0xff;
	ret_address->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&ret_address->sin6_addr.s6_addr[12], &address, sizeof(address));
}

socklen_t sources_address(enum family family, uint32_t index, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){0};
	if (family == FAMILY_4) {
		v4->sin_family = AF_INET;
		v4->sin_addr.s_addr = htonl(FIRST_V4 + index);
		return sizeof(*v4);
	}
	if (family == FAMILY_MAPPED) {
		sources_map_v4(htonl(FIRST_V4 + index), 0, v6);
		return sizeof(*v6);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_addr.s6_addr32[0] = htonl(V6_32);
	v6->sin6_addr.s6_addr32[1] = htonl(index);
	v6->sin6_addr.s6_addr32[3] = htonl(1);
	return sizeof(*v6);
}

void sources_text(enum family family, uint32_t index, char ret_text[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage address;

	sources_address(family == FAMILY_MAPPED ? FAMILY_4 : family, index, &address);
	if (family == FAMILY_6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, ret_text,
			  INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, ret_text,
			  INET6_ADDRSTRLEN);
}

uint32_t sources_index(enum family family, const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (family == FAMILY_6)
		return inet_pton(AF_INET6, text, &v6) == 1 ? ntohl(v6.s6_addr32[1]) : UINT32_MAX;
	return inet_pton(AF_INET, text, &v4) == 1 ? ntohl(v4.s_addr) - FIRST_V4 : UINT32_MAX;
}
