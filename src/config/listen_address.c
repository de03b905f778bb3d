// SPDX-License-Identifier: MIT
#include "config/listen_address.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"

#define FORM "HOST:PORT, [V6ADDRESS]:PORT or :PORT"

static bool is_port(const char *text)
{
	uint64_t port;

	return !parse_number(text, 0, 65535, &port);
}

const char *listen_address_problem(const char *text)
{
	const char *colon = strrchr(text, ':'), *bracket = strchr(text, ']');

	if (is_port(text))
		return FORM ": for a port on every address write :PORT";
	if (!colon || (text[0] == '[' && (!bracket || bracket + 1 != colon || bracket == text + 1)))
		return FORM;
	if (text[0] != '[' && memchr(text, ':', (size_t)(colon - text)))
		return FORM ": an IPv6 address is written in brackets";
	if (!is_port(colon + 1))
		return FORM " with a port from 0 to 65535";
	return NULL;
}

#define UNIX_PREFIX "unix:"

const char *listen_address_path(const char *text)
{
	size_t length = strlen(UNIX_PREFIX);

	return strncmp(text, UNIX_PREFIX, length) ? NULL : text + length;
}

const char *admin_address_problem(const char *text)
{
	const char *path = listen_address_path(text);
	const char *problem = path ? NULL : listen_address_problem(text);

	if (!strcmp(text, "off"))
		return NULL;
	if (path)
		return path[0] == '/' && path[1] ? NULL : "unix: and an absolute path";
	if (problem)
		return strcmp(problem, FORM) ? problem : FORM ", unix:/PATH or off";
	/* Port 0 is refused, as no user would know which port the kernel has chosen. */
	return strtoul(strrchr(text, ':') + 1, NULL, 10) ? NULL : FORM " with a port from 1 on";
}
