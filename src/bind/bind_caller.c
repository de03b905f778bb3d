// SPDX-License-Identifier: MIT
#include "bind/bind_caller.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rights/privilege.h"
#include "procfs/process_descriptor.h"
#include "wire/fd_passing.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Returns the value of an int option; -1: the socket has no such option. */
static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, level, name, &value, &length) ? -1 : value;
}

bool bind_is_v6(int fd)
{
	return option_of(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
}

bool bind_is_only_v6(int fd)
{
	return option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
}

/*
 * Is this a TCP socket? Multipath TCP counts, too: Go opens such sockets for its servers, and they
 * serve TCP as well.
 */
static bool is_tcp(int fd)
{
	int domain = option_of(fd, SOL_SOCKET, SO_DOMAIN);
	int protocol = option_of(fd, SOL_SOCKET, SO_PROTOCOL);

	return (domain == AF_INET || domain == AF_INET6) &&
	       option_of(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

bool bind_is_same_socket(int a, int b)
{
	uint64_t cookies[2] = {0};
	socklen_t length = sizeof(cookies[0]);

	return getsockopt(a, SOL_SOCKET, SO_COOKIE, &cookies[0], &length) == 0 &&
	       getsockopt(b, SOL_SOCKET, SO_COOKIE, &cookies[1], &length) == 0 &&
	       cookies[0] == cookies[1];
}

void bind_close_duplicate(int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	if (getpeername(fd, (void *)&peer, &length))
		close(fd);
	else
		fd_passing_discard(fd);
}

/*
 * Returns a duplicate of the caller's descriptor, or -errno. Only a socket is duplicated: the last
 * close() of another file may wait for a file system of the worker's own (FUSE).
 */
static int duplicate(pid_t pid, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd, error;

	if (pidfd < 0)
		return -errno;
	if (!process_descriptor_is_socket(pid, number)) {
		close(pidfd);
		return -ENOTSOCK;
	}
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	error = errno;
	close(pidfd);
	return fd < 0 ? -error : fd;
}

static int look(const struct bind_call *call, pid_t pid, const void *bytes, size_t length,
		struct bind_caller *caller)
{
	if (!is_tcp(caller->socket))
		return -EPROTONOSUPPORT;
	caller->flags = process_descriptor_flags(pid, call->number);
	if (caller->flags < 0)
		return caller->flags;
	return call->is_listen
		       ? 0
		       : bind_address_read(bytes, length, bind_is_v6(caller->socket),
					   bind_is_only_v6(caller->socket), &caller->address);
}

static int open_caller(const struct bind_call *call, const void *bytes, size_t length,
		       struct bind_caller *ret_caller)
{
	struct bind_caller caller = {.socket = -1};
	pid_t pid = call->tid > 0 ? process_of_thread(call->tid) : -ESRCH;
	int error;

	if (pid <= 0)
		return pid ? pid : -ESRCH;
	caller.socket = duplicate(pid, call->number);
	if (caller.socket < 0)
		return caller.socket;
	error = look(call, pid, bytes, length, &caller);
	if (error) {
		bind_close_duplicate(caller.socket);
		return error;
	}
	*ret_caller = caller;
	return 0;
}

bool bind_caller_has(const struct bind_call *call, int number, int socket)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	pid_t pid = process_of_thread(call->tid);
	int fd = pid > 0 ? duplicate(pid, number) : -1;
	bool has = fd >= 0 && bind_is_same_socket(fd, socket);

	privilege_restore(previous);
	if (fd >= 0)
		bind_close_duplicate(fd);
	return has;
}

int bind_caller_open(const struct bind_call *call, const void *bytes, size_t length,
		     struct bind_caller *ret_caller)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	int error = open_caller(call, bytes, length, ret_caller);

	privilege_restore(previous);
	return error;
}
