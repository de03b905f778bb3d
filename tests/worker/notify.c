// SPDX-License-Identifier: MIT
#include "notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "failure.h"

void notify(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(address.sun_path))
		fail("NOTIFY_SOCKET is unset or too long");
	memcpy(address.sun_path, path, length);
	if (address.sun_path[0] == '@') /* the name is abstract: see sd_notify(3) */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		fail("NOTIFY_SOCKET %s", path);
	close(fd);
}

void notify_status(const char *status)
{
	char message[1024];

	snprintf(message, sizeof(message), "STATUS=%s", status);
	notify(message);
}
