// SPDX-License-Identifier: MIT
#include "config/listen_address.h"

#include <stdbool.h>
#include <stdint.h>
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
