// SPDX-License-Identifier: MIT
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"
#include "sources.h"

static void set_option(int fd, int level, int name, const void *value, socklen_t length)
{
	if (setsockopt(fd, level, name, value, length))
		failure_exit("setsockopt %d", name);
}

static int open_socket(enum family family)
{
	int domain = family == FAMILY_4 ? AF_INET : AF_INET6;
	int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int one = 1;

	if (fd < 0)
		failure_exit("socket");
	set_option(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/*
	 * The kernel chooses the port at connect(2), so that only the whole 4-tuple must be unique:
	 * ip(7).
	 */
	set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (family == FAMILY_6)
		set_option(fd, SOL_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	return fd;
}

/*
 * Note errno and the call that failed. The kernel reports an error of a socket only once, by any
 * call. Returns true.
 */
static bool end_with_errno(struct connection *connection, const char *call)
{
	connection->error = errno;
	connection->failed_call = call;
	return true;
}

bool connection_begin(struct connection *connection, const struct options *options)
{
	uint32_t client = options->first + connection->source;
	struct sockaddr_storage source;
	socklen_t length = sources_address(options->family, client, &source);

	connection->requested = false;
	connection->error = 0;
	connection->length = 0;
	options_request(options, client, connection->request);
	connection->fd = open_socket(options->family);
	if (bind(connection->fd, (struct sockaddr *)&source, length))
		return end_with_errno(connection, "bind");
	if (connect(connection->fd, (const struct sockaddr *)&options->target,
		    options->target_length) &&
	    errno != EINPROGRESS)
		return end_with_errno(connection, "connect");
	return false;
}

static bool is_connected(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return !getsockopt(fd, SOL_TCP, TCP_INFO, &info, &size) && info.tcpi_state != TCP_SYN_SENT;
}

bool connection_send(struct connection *connection)
{
	size_t length = strlen(connection->request);

	if (length && send(connection->fd, connection->request, length, MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false; /* not connected yet */
		return end_with_errno(connection, "send");
	}
	connection->requested = length || is_connected(connection->fd);
	return false;
}

bool connection_receive(struct connection *connection)
{
	for (;;) {
		char *to = connection->answer + connection->length;
		ssize_t got = recv(connection->fd, to, ANSWER_MAX - 1 - connection->length, 0);

		if (got > 0) {
			connection->length += (size_t)got;
			continue;
		}
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (got < 0)
			return end_with_errno(connection, "recv");
		connection->answer[connection->length] = '\0';
		return true;
	}
}

void connection_end(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
}
