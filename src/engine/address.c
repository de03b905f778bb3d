// SPDX-License-Identifier: MIT
#include "engine/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sticky.h"

static int parse_port(const char *text, uint16_t *ret_port)
{
	uint32_t port = 0;
	size_t length = strlen(text), i;

	if (length < 1 || length > 5)
		return -EINVAL;
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	if (port > 65535)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

int listen_spec_parse(const char *text, struct listen_spec *ret_spec)
{
	struct listen_spec spec = {0};
	const char *host = text, *end;
	const char *colon;
	int error;

	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end || end == host || end[1] != ':')
			return -EINVAL;
		colon = end + 1;
		spec.is_v6 = true;
	} else {
		colon = strrchr(text, ':');
		if (!colon)
			return -EINVAL;
		end = colon;
		/* "::1:80" is ambiguous: an IPv6 address must be in brackets. */
		if (memchr(host, ':', (size_t)(end - host)))
			return -EINVAL;
	}
	if ((size_t)(end - host) >= sizeof(spec.host))
		return -EINVAL;
	memcpy(spec.host, host, (size_t)(end - host));
	error = parse_port(colon + 1, &spec.port);
	if (error)
		return error;
	*ret_spec = spec;
	return 0;
}

static int format_v6(const struct sockaddr_in6 *address, size_t size, char *ret_text)
{
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";
	int length;

	inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof(host));
	if (address->sin6_scope_id) {
		zone[0] = '%';
		if (!if_indextoname(address->sin6_scope_id, zone + 1))
			snprintf(zone, sizeof(zone), "%%%u", address->sin6_scope_id);
	}
	length = snprintf(ret_text, size, "[%s%s]:%u", host, zone, ntohs(address->sin6_port));
	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}

int address_format(const struct sockaddr *address, size_t size, char *ret_text)
{
	const struct sockaddr_in *v4 = (const void *)address;
	char host[INET_ADDRSTRLEN];
	int length;

	if (address->sa_family == AF_INET6)
		return format_v6((const void *)address, size, ret_text);
	if (address->sa_family != AF_INET)
		return -EAFNOSUPPORT;
	inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	length = snprintf(ret_text, size, "%s:%u", host, ntohs(v4->sin_port));
	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}

int address_key(const struct sticky_settings *settings, const struct sockaddr *client,
		struct sticky_key *ret_key)
{
	if (client->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)client;

		sticky_key_v4(settings, v4->sin_addr.s_addr, ret_key);
		return 0;
	}
	if (client->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)client;
		uint32_t words[4];

		memcpy(words, &v6->sin6_addr, sizeof(words));
		sticky_key_v6(settings, words, ret_key);
		return 0;
	}
	return -EAFNOSUPPORT;
}

uint32_t mask_prefix(const uint32_t *mask, uint32_t words)
{
	uint32_t prefix = 0, i;

	for (i = 0; i < words; i++)
		prefix += (uint32_t)__builtin_popcount(mask[i]);
	return prefix;
}

void prefix_fill_mask(uint32_t prefix, uint32_t words, uint32_t *ret_mask)
{
	uint32_t i;

	for (i = 0; i < words; i++)
		ret_mask[i] = prefix > 32 * i ? sticky_prefix_mask(prefix - 32 * i) : 0;
}

int key_format(const struct sticky_settings *settings, const struct sticky_key *key, size_t size,
	       char *ret_text)
{
	bool is_v4 = key->words == 1;
	uint32_t prefix =
		is_v4 ? mask_prefix(&settings->v4_mask, 1) : mask_prefix(settings->v6_mask, 4);
	char host[INET6_ADDRSTRLEN];
	int length;

	inet_ntop(is_v4 ? AF_INET : AF_INET6, key->word, host, sizeof(host));
	length = snprintf(ret_text, size, "%s/%u", host, prefix);
	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}

int sticky_address_parse(const char *text, struct sockaddr_storage *ret_address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[ADDRESS_HOST_SIZE];
	size_t length = strlen(text);
	bool brackets = length > 2 && text[0] == '[' && text[length - 1] == ']';

	if (length == 0 || length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length + 1);
	if (brackets) {
		memmove(host, text + 1, length - 2);
		host[length - 2] = '\0';
		hints.ai_family = AF_INET6;
	} else if (!strchr(text, ':')) {
		/*
		 * inet_pton() is strict. getaddrinfo() would also take "1" and "0x7f.1" for IPv4
		 * addresses.
		 */
		struct in_addr strict;

		if (inet_pton(AF_INET, text, &strict) != 1)
			return -EINVAL;
	}
	if (getaddrinfo(host, NULL, &hints, &found))
		return -EINVAL;
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(ret_address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}
