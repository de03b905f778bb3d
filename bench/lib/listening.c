// SPDX-License-Identifier: MIT
#include "listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

#define BACKLOG 4096 /* libsticky's default */

static struct listening *allocate(uint32_t count)
{
	struct listening *listening = calloc(1, sizeof(*listening));
	uint32_t i;

	if (!listening)
		return NULL;
	listening->count = count;
	for (i = 0; i < count; i++)
		listening->fd[i] = -1;
	return listening;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		return 0;
	return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
						  : ((struct sockaddr_in6 *)&address)->sin6_port);
}

/*
 * Bind a plain socket, and listen. -1 as `program` attaches none: only the first socket of a group
 * needs it.
 */
static int open_plain(int fd, enum client_family family, uint16_t port, int program)
{
	struct sockaddr_storage address;
	socklen_t length = loopback_listen_address(family, port, &address);
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, length))
		return -errno;
	if (program >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program)))
		return -errno;
	return listen(fd, BACKLOG) ? -errno : 0;
}

int listening_open_plain(enum client_family family, uint32_t count, int program,
			 struct listening **ret_listening)
{
	struct listening *listening = allocate(count);
	int domain = family == CLIENT_V4 ? AF_INET : AF_INET6, error = 0;
	uint32_t i;

	if (!listening)
		return -ENOMEM;
	for (i = 0; !error && i < count; i++) {
		listening->fd[i] = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		error = listening->fd[i] < 0 ? -errno
					     : open_plain(listening->fd[i], family, listening->port,
							  i ? -1 : program);
		if (!error && !i)
			listening->port = port_of(listening->fd[0]);
	}
	if (error) {
		listening_close(listening);
		return error;
	}
	*ret_listening = listening;
	return 0;
}

static int open_worker(struct listening *listening, uint32_t slot)
{
	int error = sticky_worker_open(listening->group, slot, &listening->workers[slot]), fd;

	if (error)
		return error;
	fd = sticky_worker_fd(listening->workers[slot], 0);
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	listening->fd[slot] = fd;
	return sticky_worker_ready(listening->workers[slot]);
}

/* Trust 10/8, 172.16/12, 192.168/16 and fc00::/7: no client of loopback.h is in these ranges. */
static int set_proxies(struct sticky_group *group)
{
	static const struct sticky_prefix proxies[] = {
		{.address = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 96 + 8},
		{.address = {[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 16}, .bits = 96 + 12},
		{.address = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168}, .bits = 96 + 16},
		{.address = {0xfc}, .bits = 7},
	};

	return sticky_group_set_proxies(group, proxies, sizeof(proxies) / sizeof(proxies[0]), true);
}

int listening_open_sticky(enum client_family family, uint32_t count,
			  const struct listening_options *wanted, struct listening **ret_listening)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = count};
	struct listening *listening = allocate(count);
	uint32_t slot;
	int error;

	if (!listening)
		return -ENOMEM;
	if (wanted) {
		options.v4_prefix = wanted->v4_prefix;
		options.v6_prefix = wanted->v6_prefix;
	}
	error = sticky_group_open(&options, &listening->group);
	if (!error && wanted && wanted->has_proxies)
		error = set_proxies(listening->group);
	if (!error)
		error = sticky_group_listen(listening->group, loopback_listen_text(family));
	for (slot = 0; error >= 0 && slot < count; slot++)
		error = open_worker(listening, slot);
	if (error < 0) {
		listening_close(listening);
		return error;
	}
	listening->port = port_of(listening->fd[0]);
	*ret_listening = listening;
	return 0;
}

static void close_workers(struct listening *listening)
{
	uint32_t slot;

	/*
	 * No waiting connection is to be kept: without this call each close would make a holding
	 * socket.
	 */
	sticky_group_refuse(listening->group);
	for (slot = 0; slot < listening->count; slot++)
		sticky_worker_close(listening->workers[slot]);
	sticky_group_close(listening->group);
}

void listening_close(struct listening *listening)
{
	uint32_t i;

	if (!listening)
		return;
	if (listening->group)
		close_workers(listening);
	else
		for (i = 0; i < listening->count; i++)
			if (listening->fd[i] >= 0)
				close(listening->fd[i]);
	free(listening);
}
