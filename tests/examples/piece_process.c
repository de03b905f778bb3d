// SPDX-License-Identifier: MIT
/* The loop of a worker process, under `stickyctl start`. Each client is told who it is. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sticky.h>
#include <unistd.h>

static void serve(int fd, const struct sockaddr_storage *client)
{
	char request[4096], host[INET_ADDRSTRLEN] = "?";

	if (client->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)client)->sin_addr, host,
			  sizeof(host));
	if (read(fd, request, sizeof(request)) > 0)
		dprintf(fd, "slot 0 serves %s\n", host);
	close(fd);
}

int main(void)
{
	CODE;
}
