// SPDX-License-Identifier: MIT
#include "bound.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"

#define BACKLOG 5 /* less than any default */

static struct addrinfo *resolve(const char *address)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[64], port[8];

	if (sscanf(address, "[%63[^]]]:%7s", host, port) != 2 &&
	    sscanf(address, "%63[^:]:%7s", host, port) != 2)
		fail("not an address: %s", address);
	if (getaddrinfo(host, port, &hints, &found))
		fail("not an address: %s", address);
	return found;
}

int bound_open(const char *address)
{
	struct addrinfo *found = resolve(address);
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, BACKLOG))
		fail("bind %s", address);
	freeaddrinfo(found);
	return fd;
}
