// SPDX-License-Identifier: MIT
#include "sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_ESTABLISHED_BIT (1u << 1)
#define TCP_CLOSE_WAIT_BIT  (1u << 8)
#define RECEIVE_SIZE	    32768
#define CONNECTIONS_MAX	    (4u << 20)

struct inodes {
	uint32_t *items;
	size_t count;
	size_t room;
};

static int add(struct inodes *inodes, uint32_t inode)
{
	if (inodes->count == inodes->room) {
		size_t room = inodes->room ? 2 * inodes->room : 256;
		uint32_t *items;

		if (room > CONNECTIONS_MAX)
			return -E2BIG;
		items = realloc(inodes->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		inodes->items = items;
		inodes->room = room;
	}
	inodes->items[inodes->count++] = inode;
	return 0;
}

static bool is_one_of(uint16_t port, const uint16_t *ports, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static int ask(int fd, int family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = (uint8_t)family,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_states = TCP_ESTABLISHED_BIT | TCP_CLOSE_WAIT_BIT},
	};

	return send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message) ? 0 : -errno;
}

/* Returns 1 at the end of the dump, 0 where more follows, or -errno. */
static int read_message(const struct nlmsghdr *header, const uint16_t *ports, size_t port_count,
			struct inodes *inodes)
{
	const struct inet_diag_msg *connection = NLMSG_DATA(header);

	if (header->nlmsg_type == NLMSG_DONE)
		return 1;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error ?: 1;
	/* One that waits in an accept queue is nobody's yet: it has no inode. */
	if (!connection->idiag_inode ||
	    !is_one_of(ntohs(connection->id.idiag_sport), ports, port_count))
		return 0;
	return add(inodes, connection->idiag_inode);
}

static int read_dump(int fd, const uint16_t *ports, size_t port_count, struct inodes *inodes)
{
	char bytes[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));

	for (;;) {
		ssize_t received = recv(fd, bytes, sizeof(bytes), 0);
		const struct nlmsghdr *header = (const void *)bytes;
		size_t left;

		if (received <= 0)
			return received ? -errno : -EIO;
		for (left = (size_t)received; NLMSG_OK(header, left);
		     header = NLMSG_NEXT(header, left)) {
			int done = read_message(header, ports, port_count, inodes);

			if (done)
				return done < 0 ? done : 0;
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

long sockdiag_connections(const uint16_t *ports, size_t port_count, uint32_t **ret_inodes)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct inodes inodes = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int error = 0;
	size_t i;

	if (fd < 0)
		return -errno;
	for (i = 0; i < 2 && !error; i++) {
		error = ask(fd, families[i]);
		if (!error)
			error = read_dump(fd, ports, port_count, &inodes);
	}
	close(fd);
	if (error) {
		free(inodes.items);
		return error;
	}
	if (inodes.count)
		qsort(inodes.items, inodes.count, sizeof(*inodes.items), compare);
	*ret_inodes = inodes.items;
	return (long)inodes.count;
}
