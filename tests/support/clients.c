// SPDX-License-Identifier: MIT
#include "clients.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "wait.h"

struct sockaddr_storage address_of(const char *ip, uint16_t port)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	address.ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	v4->sin_port = htons(port); /* the port is at the same place in both families */
	if (inet_pton(address.ss_family, ip,
		      address.ss_family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr) != 1)
		assert(!"an IP address");
	return address;
}

socklen_t address_length(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}

struct sockaddr_storage client_address(sa_family_t family, uint32_t number)
{
	struct sockaddr_storage address = {.ss_family = family};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;
	uint32_t words[4] = {htonl(0x20010db8), htonl(number), 0, htonl(1)};

	if (family == AF_INET)
		v4->sin_addr.s_addr = htonl(0x7f010000 + number);
	else
		memcpy(&v6->sin6_addr, words, sizeof(words));
	return address;
}

/*
 * Connect to the server. connect(2) itself does not wait, as the socket is non-blocking: if a SYN
 * is dropped, the test must fail and not hang.
 */
static int connect_with_deadline(int fd, const struct sockaddr_storage *server)
{
	int error = 0;

	if (connect(fd, (const void *)server, address_length(server)))
		error = errno == EINPROGRESS ? wait_connected(fd) : -errno;
	if (!error && fcntl(fd, F_SETFL, 0))
		error = -errno;
	return error;
}

int client_connect(const struct sockaddr_storage *source, const struct sockaddr_storage *server)
{
	int fd = socket(server->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (source && bind(fd, (const void *)source, address_length(source)))
		error = -errno;
	if (!error)
		error = connect_with_deadline(fd, server);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static bool all_is_acknowledged(void *context)
{
	int unsent = 0;

	return ioctl(*(int *)context, SIOCOUTQ, &unsent) || unsent == 0;
}

int client_settle(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (send(fd, "", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	if (wait_until(all_is_acknowledged, &fd))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
		return -errno;
	return -error;
}

int client_accept(int listening)
{
	int error = wait_readable(listening);
	int fd;

	if (error)
		return error;
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int plain_listen(struct sockaddr_storage *address, int option)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	socklen_t length = sizeof(*address);

	if (fd < 0)
		return -errno;
	if ((option && setsockopt(fd, SOL_SOCKET, option, &on, sizeof(on))) ||
	    bind(fd, (void *)address, address_length(address)) || listen(fd, 512) ||
	    getsockname(fd, (void *)address, &length)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int number_send(int fd, uint32_t number)
{
	/* So few bytes always fit into a socket's buffer. */
	ssize_t sent = send(fd, &number, sizeof(number), MSG_NOSIGNAL);

	if (sent < 0)
		return -errno;
	return sent == sizeof(number) ? 0 : -EIO;
}

int number_receive(int fd, uint32_t *ret_number)
{
	uint8_t bytes[sizeof(*ret_number)];
	size_t have = 0;

	while (have < sizeof(bytes)) {
		int error = wait_readable(fd);
		ssize_t got;

		if (error)
			return error;
		got = recv(fd, bytes + have, sizeof(bytes) - have, 0);
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		have += (size_t)got;
	}
	memcpy(ret_number, bytes, sizeof(bytes));
	return 0;
}

/*
 * Convert a v4-mapped address to IPv4. If the server's socket is bound to [::], the peer address of
 * an IPv4 client is v4-mapped.
 */
static void unmap(struct sockaddr_storage *address)
{
	struct sockaddr_in6 *v6 = (void *)address;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6->sin6_port};

	if (address->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return;
	memcpy(&v4.sin_addr, &v6->sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
	memset(address, 0, sizeof(*address));
	memcpy(address, &v4, sizeof(v4));
}

bool is_peer(int accepted, int client)
{
	struct sockaddr_storage peer = {0}, own = {0};
	socklen_t peer_length = sizeof(peer), own_length = sizeof(own);

	if (getpeername(accepted, (void *)&peer, &peer_length) ||
	    getsockname(client, (void *)&own, &own_length))
		return false;
	unmap(&peer);
	return memcmp(&peer, &own, sizeof(peer)) == 0;
}

void close_all(int *fds, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}
