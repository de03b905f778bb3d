// SPDX-License-Identifier: MIT
#include "bind/bind_notices.h"

#include <string.h>

#include "bind/bind_caller.h"
#include "bind/bind_workers.h"
#include "common/log.h"

#define ELSEWHERE_MAX 16

void bind_note_family(struct bind_workers *workers, const struct bind_caller *caller, int fd)
{
	if (workers->family_was_said || bind_is_v6(caller->socket) || !bind_is_v6(fd))
		return;
	workers->family_was_said = true;
	report(STICKY_LOG_WARN, "address_family",
	       "so=\"the server has asked for IPv4, and sees its clients as ::ffff:A.B.C.D; nginx "
	       "closes such connections\" hint=\"-l 0.0.0.0:%u\"",
	       caller->address.port);
}

void bind_note_elsewhere(struct bind_workers *workers, uint32_t slot, pid_t pid, int socket)
{
	struct bind_address address;
	char text[BIND_ADDRESS_TEXT_SIZE];

	if (bind_listeners_read(socket, &address) || !address.port)
		return;
	bind_address_format(&address, text);
	if (!strcmp(text, workers->elsewhere) || workers->elsewhere_count == ELSEWHERE_MAX)
		return;
	workers->elsewhere_count++;
	memcpy(workers->elsewhere, text, sizeof(text));
	report(STICKY_LOG_INFO, "listens_elsewhere",
	       "slot=%u pid=%d on=%s so=\"connections to this address are not placed: -l does not "
	       "name it\"",
	       slot, pid, text);
}
