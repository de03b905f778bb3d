// SPDX-License-Identifier: MIT
#include "node/shared_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rights/privilege.h"

static int resolve(const struct cluster_query *query, struct sockaddr_storage *ret_address)
{
	bool is_v6 = query->udp ? query->udp == '6'
				: query->address_type == 6 || strchr(query->address, ':');
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;
	const char *text = query->address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (!*text && !query->udp)
		is_v6 = true; /* no address means every address, by a dual-stack socket */
	ret_address->ss_family = is_v6 ? AF_INET6 : AF_INET;
	if (is_v6) {
		v6->sin6_port = htons((uint16_t)query->port);
		return !*text || inet_pton(AF_INET6, text, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	v4->sin_port = htons((uint16_t)query->port);
	return !*text || inet_pton(AF_INET, text, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

static int bind_address(const struct cluster_query *query)
{
	struct sockaddr_storage address;
	int type = (query->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd, one = 1, only = (query->flags & CLUSTER_IPV6_ONLY) != 0,
		error = resolve(query, &address);

	if (error)
		return error;
	fd = socket(address.ss_family, type, 0);
	if (fd < 0)
		return -errno;
	if (!query->udp || query->flags & CLUSTER_UDP_REUSE_ADDRESS)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, (const void *)&address,
		 address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					       : sizeof(struct sockaddr_in))) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int bind_with_own_rights(const struct cluster_query *query)
{
	unsigned int previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	int fd = bind_address(query);

	privilege_restore(previous);
	return fd;
}

static int bind_with_rights(const struct cluster_query *query, const struct user_rights *rights)
{
	struct user_rights_region region;
	int fd, error = user_rights_begin(rights, &region);

	if (error)
		return error;
	fd = bind_address(query);
	user_rights_end(&region);
	return fd;
}

bool sharedsocket_is_path(const struct cluster_query *query)
{
	return query->fd < 0 && !query->udp && query->port < 0;
}

int sharedsocket_open(const struct cluster_query *query, int backlog,
		      const struct user_rights *rights, bool may_be_low)
{
	int fd, error;

	if (query->fd >= 0)
		return -EBADF;
	if (query->port < 0 || query->port > 65535)
		return -EINVAL;
	fd = may_be_low ? bind_with_own_rights(query) : bind_with_rights(query, rights);
	if (fd < 0 || query->udp)
		return fd;
	if (listen(fd, backlog)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

uint64_t sharedsocket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
	return cookie;
}

bool sharedsocket_is_server(int fd)
{
	struct sockaddr_storage address;
	int type = 0, listens = 0;
	socklen_t length = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
		return false;
	length = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length))
		return false;
	length = sizeof(address);
	return type == SOCK_STREAM
		       ? listens
		       : type == SOCK_DGRAM && getpeername(fd, (void *)&address, &length) != 0;
}

bool sharedsocket_is_at(int fd, const struct cluster_query *query)
{
	struct sockaddr_storage wanted, address;
	socklen_t length = sizeof(address);
	int type = 0;
	socklen_t type_length = sizeof(type);

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, (void *)&address, &length))
		return false;
	if (!query->udp && query->port < 0)
		return address.ss_family == AF_UNIX &&
		       !strcmp(((struct sockaddr_un *)&address)->sun_path, query->address);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length);
	return type == (query->udp ? SOCK_DGRAM : SOCK_STREAM) && !resolve(query, &wanted) &&
	       wanted.ss_family == address.ss_family && !memcmp(&wanted, &address, length);
}
