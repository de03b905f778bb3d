// SPDX-License-Identifier: MIT
#include "engine/listener.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static int resolve_any(uint16_t port, struct listener *listener)
{
	struct sockaddr_in6 *v6 = (void *)&listener->address;
	struct sockaddr_in *v4 = (void *)&listener->address;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		close(fd);
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		listener->length = sizeof(*v6);
		listener->dual_stack = true;
		return 0;
	}
	if (errno != EAFNOSUPPORT)
		return -errno;
	*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	listener->length = sizeof(*v4);
	return 0;
}

int listener_resolve(const struct listen_spec *spec, int backlog, struct listener *ret_listener)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct listener listener = {.backlog = backlog};
	struct addrinfo *found;
	char port[8];
	int error;

	if (!spec->host[0]) {
		error = resolve_any(spec->port, &listener);
		if (!error)
			*ret_listener = listener;
		return error;
	}
	if (spec->is_v6) {
		hints.ai_family = AF_INET6;
		hints.ai_flags |= AI_NUMERICHOST;
	}
	snprintf(port, sizeof(port), "%u", spec->port);
	error = getaddrinfo(spec->host, port, &hints, &found);
	if (error == EAI_MEMORY)
		return -ENOMEM;
	if (error)
		return spec->is_v6 ? -EINVAL : -ENOENT;
	memcpy(&listener.address, found->ai_addr, found->ai_addrlen);
	listener.length = found->ai_addrlen;
	freeaddrinfo(found);
	*ret_listener = listener;
	return 0;
}

static int set_flag(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int open_socket(const struct listener *listener)
{
	int fd = socket(listener->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!error && listener->address.ss_family == AF_INET6)
		error = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !listener->dual_stack);
	if (!error && listener->preparation.fn)
		error = listener->preparation.fn(listener->preparation.context,
						 listener->preparation.listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static int bind_socket(const struct listener *listener, int fd)
{
	return bind(fd, (const void *)&listener->address, listener->length) ? -errno : 0;
}

int listener_check_free(const struct listener *listener)
{
	int fd = open_socket(listener);
	int error;

	if (fd < 0)
		return fd;
	error = bind_socket(listener, fd);
	close(fd);
	return error;
}

int listener_bind(const struct listener *listener)
{
	int fd = open_socket(listener);
	int error;

	if (fd < 0)
		return fd;
	error = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = bind_socket(listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static uint16_t port_of(const struct listener *listener)
{
	const struct sockaddr_in6 *v6 = (const void *)&listener->address;
	const struct sockaddr_in *v4 = (const void *)&listener->address;

	return listener->address.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port;
}

int listener_bind_first(struct listener *listener)
{
	bool has_port = port_of(listener);
	int fd = listener_bind(listener), chosen_port_fd, error;

	if (fd < 0)
		return fd;
	error = has_port ? listener_read_device(fd, &listener->device)
			 : listener_learn(listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	if (has_port)
		return fd;
	chosen_port_fd = fd;
	fd = listener_bind(listener);
	close(chosen_port_fd);
	return fd;
}

int listener_lock(int fd)
{
	return set_flag(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

bool listener_is_locked(int fd)
{
	int is_locked = 0;
	socklen_t length = sizeof(is_locked);

	return !getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &is_locked, &length) && is_locked;
}

int listener_listen(const struct listener *listener, int fd)
{
	return listen(fd, listener->backlog) ? -errno : listener_lock(fd);
}

int listener_read_device(int fd, uint32_t *ret_device)
{
	int device = 0;
	socklen_t length = sizeof(device);

	if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &length) && errno != ENOPROTOOPT)
		return -errno;
	*ret_device = (uint32_t)device;
	return 0;
}

int listener_learn(struct listener *listener, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	uint32_t device = 0;
	int error;

	if (getsockname(fd, (void *)&address, &length))
		return -errno;
	error = listener_read_device(fd, &device);
	if (error)
		return error;
	listener->address = address;
	listener->length = length;
	listener->device = device;
	return 0;
}

bool listener_is_same(const struct listener *a, const struct listener *b)
{
	const struct sockaddr_in6 *a6 = (const void *)&a->address, *b6 = (const void *)&b->address;
	const struct sockaddr_in *a4 = (const void *)&a->address, *b4 = (const void *)&b->address;

	if (a->address.ss_family != b->address.ss_family || a->device != b->device)
		return false;
	if (a->address.ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       !memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr));
	return a->address.ss_family == AF_INET && a4->sin_port == b4->sin_port &&
	       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

void listener_wake(int fd)
{
	/*
	 * shutdown() fails on a socket that does not listen any more. No acceptor sleeps on such a
	 * socket.
	 */
	(void)shutdown(fd, SHUT_WR);
}

void listener_reset_all(int fd)
{
	const struct linger reset = {.l_onoff = 1};
	int connection;

	while ((connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		/* If this fails, the client sees the end of the connection instead of a reset. */
		(void)setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(connection);
	}
}

int listener_queue(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		return -errno;
	/* On a listening socket the kernel reports the queue's length here. */
	return (int)info.tcpi_unacked;
}

uint32_t listener_overflows(int fd)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t length = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) ||
	    length < (SK_MEMINFO_DROPS + 1) * sizeof(info[0]))
		return 0;
	return info[SK_MEMINFO_DROPS];
}
