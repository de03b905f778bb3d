// SPDX-License-Identifier: MIT
#include "service/service_address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/units.h"

int service_address_parse(const char *text, struct service_address *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || length < 2)
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, text, length);
	/*
	 * The name of an abstract socket ends with the address, the name of a file with a NUL:
	 * unix(7).
	 */
	if (text[0] == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	*ret_address = (struct service_address){
		.address = address,
		.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length),
	};
	return 0;
}

uint32_t service_watchdog_period_ms(const char *usec_text, const char *pid_text, pid_t pid)
{
	uint64_t usec, watched, period_ms;

	if (!usec_text || parse_number(usec_text, 1, UINT64_MAX - 1, &usec))
		return 0;
	if (pid_text && (parse_number(pid_text, 1, INT32_MAX, &watched) || (pid_t)watched != pid))
		return 0;
	period_ms = usec / 2 / 1000;
	if (period_ms < 1)
		return 1;
	return period_ms < INT32_MAX ? (uint32_t)period_ms : INT32_MAX;
}
