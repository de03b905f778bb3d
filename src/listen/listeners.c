// SPDX-License-Identifier: MIT
#include "listen/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "listen/port_owner.h"

/* Returns what a user can do about an error of sticky_group_listen(). */
static const char *hint(int error)
{
	switch (error) {
	case -EINVAL:
		return "not an address: write HOST:PORT, [V6ADDRESS]:PORT or :PORT";
	case -EADDRINUSE:
		return "another process listens there (see ss -ltnp): stop it, or choose another "
		       "port";
	case -EADDRNOTAVAIL:
		return "no interface has this address (see ip address)";
	case -EACCES:
		return "ports below net.ipv4.ip_unprivileged_port_start (1024) need "
		       "CAP_NET_BIND_SERVICE: run it as root or by sudo, or setcap "
		       "cap_net_bind_service+ep stickyctl, or "
		       "AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit of systemd\n"
		       "or lower the limit: sysctl net.ipv4.ip_unprivileged_port_start=80; or let "
		       "a systemd socket or a proxy have the port, or choose a higher port";
	case -ENOENT:
		return "the name has no address (see getent ahosts); write an IP address";
	case -E2BIG:
		return "more listeners than a group can have";
	case -EMFILE:
		return "too few descriptors for so many slots: raise the limit (ulimit -n)";
	default:
		return "see 'stickyctl doctor'";
	}
}

/* Let the error message name the process that listens at the address already, if it is found. */
static void name_owner(const char *address, struct error_text *ret_error)
{
	const char *colon = strrchr(address, ':');
	struct error_text owner;

	if (colon && port_owner_find((uint16_t)strtoul(colon + 1, NULL, 10), &owner))
		error_text_set(ret_error,
			       "cannot listen on %.200s: %s\n%s: stop it, or choose another port",
			       address, strerror(EADDRINUSE), owner.text);
}

int listen_on(struct sticky_group *group, const char *address, struct error_text *ret_error)
{
	int result = sticky_group_listen(group, address);

	if (result >= 0)
		return result;
	if (result == -EINVAL)
		error_text_set(ret_error, "-l '%.200s': %s", address, hint(result));
	else if (result == -ENOENT)
		error_text_set(ret_error, "cannot listen on %.200s: %s", address, hint(result));
	else
		error_text_set(ret_error, "cannot listen on %.200s: %s\n%s", address,
			       strerror(-result), hint(result));
	if (result == -EADDRINUSE)
		name_owner(address, ret_error);
	return result;
}

size_t listen_ports(struct sticky_group *group, uint16_t ret_ports[STICKY_LISTENERS_LIMIT])
{
	uint32_t count = sticky_group_listener_count(group), i;
	char text[STICKY_ADDRESS_TEXT_SIZE];

	for (i = 0; i < count; i++) {
		const char *colon;

		sticky_group_listener_address(group, i, sizeof(text), text);
		colon = strrchr(text, ':');
		ret_ports[i] = colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
	}
	return count;
}

void listen_describe(struct sticky_group *group, size_t size, char *ret_text)
{
	uint32_t count = sticky_group_listener_count(group), i;
	size_t length = 0;

	ret_text[0] = '\0';
	for (i = 0; i < count && length + 2 < size; i++) {
		if (i)
			ret_text[length++] = ',';
		if (sticky_group_listener_address(group, i, size - length, ret_text + length))
			return;
		length += strlen(ret_text + length);
	}
}
