// SPDX-License-Identifier: MIT
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_V4_CLIENT 0x7f010001u /* 127.1.0.1 */

const char *const client_family_names[CLIENT_FAMILY_COUNT] = {
	[CLIENT_V4] = "IPv4", [CLIENT_V6] = "IPv6", [CLIENT_MAPPED] = "v4-mapped"};

static int bring_up(int fd)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	return ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
}

/* Returns 2001:db8:0:N::1, an address in a /64 for each client. */
static struct in6_addr v6_client(uint32_t client)
{
	struct in6_addr address = {0};

	address.s6_addr32[0] = htonl(0x20010db8);
	address.s6_addr32[1] = htonl(client);
	address.s6_addr32[3] = htonl(1);
	return address;
}

/*
 * A request for `ip -6 route add local 2001:db8::/32 dev lo`, which makes every client's address
 * ours.
 */
struct route_request {
	struct nlmsghdr header;
	struct rtmsg route;
	struct rtattr to_head;
	struct in6_addr to;
	struct rtattr interface_head;
	int interface;
};

static struct route_request make_route_request(void)
{
	struct route_request request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_NEWROUTE,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
		.route = {.rtm_family = AF_INET6,
			  .rtm_dst_len = 32,
			  .rtm_table = RT_TABLE_LOCAL,
			  .rtm_protocol = RTPROT_STATIC,
			  .rtm_scope = RT_SCOPE_HOST,
			  .rtm_type = RTN_LOCAL},
		.to_head = {.rta_len = RTA_LENGTH(sizeof(request.to)), .rta_type = RTA_DST},
		.to = v6_client(0),
		.interface_head = {.rta_len = RTA_LENGTH(sizeof(request.interface)),
				   .rta_type = RTA_OIF},
		.interface = (int)if_nametoindex("lo"),
	};

	request.to.s6_addr32[3] = 0; /* cut to the prefix */
	return request;
}

static int route_v6_clients(void)
{
	struct route_request request = make_route_request();
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error;

	if (fd < 0)
		return -errno;
	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		error = -errno;
	else
		error = answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
	close(fd);
	return error;
}

int loopback_enter(void)
{
	int fd, error;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = bring_up(fd);
	close(fd);
	return error ? error : route_v6_clients();
}

const char *loopback_listen_text(enum client_family family)
{
	/* Only a wildcard socket gets clients of both families. */
	return family == CLIENT_V4 ? "127.0.0.1:0" : family == CLIENT_V6 ? "[::1]:0" : ":0";
}

socklen_t loopback_listen_address(enum client_family family, uint16_t port,
				  struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){0};
	if (family == CLIENT_V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	v6->sin6_addr = family == CLIENT_V6 ? in6addr_loopback : in6addr_any;
	return sizeof(*v6);
}

socklen_t loopback_target_address(enum client_family family, uint16_t port,
				  struct sockaddr_storage *ret_address)
{
	return loopback_listen_address(family == CLIENT_MAPPED ? CLIENT_V4 : family, port,
				       ret_address);
}

socklen_t loopback_client_address(enum client_family family, uint32_t client,
				  struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){0};
	if (family == CLIENT_V6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_addr = v6_client(client % CLIENTS);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_addr.s_addr = htonl(FIRST_V4_CLIENT + client % CLIENTS);
	return sizeof(*v4);
}

static bool set_options(int fd, enum client_family family)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int one = 1;

	return !setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) &&
	       !setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) &&
	       (family != CLIENT_V6 || !setsockopt(fd, SOL_IPV6, IPV6_FREEBIND, &one, sizeof(one)));
}

int loopback_connect(enum client_family family, uint32_t client, uint16_t port)
{
	struct sockaddr_storage source, target;
	socklen_t source_length = loopback_client_address(family, client, &source);
	socklen_t target_length = loopback_target_address(family, port, &target);
	int fd = socket(source.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (set_options(fd, family) && !bind(fd, (struct sockaddr *)&source, source_length) &&
	    (!connect(fd, (struct sockaddr *)&target, target_length) || errno == EINPROGRESS))
		return fd;
	error = -errno;
	close(fd);
	return error;
}
