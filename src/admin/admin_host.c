// SPDX-License-Identifier: MIT
#include "admin/admin_host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 256 /* a name in the DNS has at most 253 bytes */

/* Copy the host without its port. Returns false if it is too long. */
static bool copy_name(const char *host, char ret_name[NAME_SIZE])
{
	const char *end = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
	size_t length = end ? (size_t)(end - host) : strlen(host);

	if (length >= NAME_SIZE)
		return false;
	memcpy(ret_name, host, length);
	ret_name[length] = '\0';
	return true;
}

static bool is_below_localhost(const char *name)
{
	static const char end[] = ".localhost";
	size_t length = strlen(name);

	return length >= strlen(end) && !strcasecmp(name + length - strlen(end), end);
}

static bool is_address(const char *name)
{
	struct in_addr v4;

	return name[0] == '[' || inet_pton(AF_INET, name, &v4) == 1;
}

bool admin_host_is_allowed(const char *host, const char *address, const char *machine)
{
	char name[NAME_SIZE], own[NAME_SIZE];

	if (!host)
		return true;
	if (!copy_name(host, name))
		return false;
	return is_address(name) || !strchr(name, '.') || is_below_localhost(name) ||
	       !strcasecmp(name, machine) || (copy_name(address, own) && !strcasecmp(name, own));
}
