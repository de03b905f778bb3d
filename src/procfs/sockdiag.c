// SPDX-License-Identifier: MIT
#include "procfs/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE_LISTEN	10 /* the kernel's TCP_LISTEN, which <linux/tcp.h> does not define */
#define LISTEN_BIT	(1u << STATE_LISTEN)
#define OPEN_BIT	(1u << 1)	     /* ESTABLISHED */
#define CONNECTION_BITS (OPEN_BIT | 1u << 8) /* and CLOSE_WAIT: the client has closed its half */
/* A handshake is in the kernel's state SYN_RECV (TCP Fast Open) or, since 4.4, NEW_SYN_RECV. */
#define HANDSHAKE_BITS (1u << 3 | 1u << 12)
#define RECEIVE_SIZE   32768
/* Results of read_message_fn and read_message() that end the reading, besides -errno. */
#define FOUND		1
#define END		2
#define CONNECTIONS_MAX (4u << 20)

struct dump;

/* Handle one socket of the dump. Returns 0 to go on, FOUND to end the reading, or -errno. */
typedef int read_message_fn(const struct dump *dump, const struct nlmsghdr *header);

struct dump {
	const uint16_t *ports;
	size_t port_count;
	uint32_t states; /* one bit for each of the kernel's states */
	bool with_info;	 /* the kernel also sends the tcp_info of each socket: a larger dump */
	read_message_fn *read;
	sockdiag_found_fn *found;	       /* for read_socket() */
	sockdiag_listener_fn *on_listener;     /* for read_listener() */
	sockdiag_waiting_fn *on_waiting;       /* for read_waiting() */
	sockdiag_connection_fn *on_connection; /* for read_connection() */
	void *context;
};

struct inodes {
	uint32_t *items;
	size_t count;
	size_t room;
};

struct handshakes {
	uint64_t *cookies;
	size_t count;
	size_t room;
	size_t limit;
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

/* Send the request for a dump. */
static int ask(int fd, int family, const struct dump *dump)
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
			    .idiag_states = dump->states},
	};

	/* For a single port the kernel itself can filter. */
	if (dump->port_count == 1)
		message.request.id.idiag_sport = htons(dump->ports[0]);
	if (dump->with_info)
		message.request.idiag_ext = 1u << (INET_DIAG_INFO - 1);
	return send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message) ? 0 : -errno;
}

/* Returns tcpi_bytes_received from the message. An older kernel's tcp_info is shorter. */
static uint64_t received_of(const struct nlmsghdr *header, const struct inet_diag_msg *socket)
{
	const struct rtattr *attribute = (const void *)(socket + 1);
	int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*socket));
	struct tcp_info info = {0};

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		size_t size = RTA_PAYLOAD(attribute);

		if (attribute->rta_type == INET_DIAG_INFO)
			memcpy(&info, RTA_DATA(attribute),
			       size < sizeof(info) ? size : sizeof(info));
	}
	return info.tcpi_bytes_received;
}

static bool is_at_ports(const struct inet_diag_msg *socket, const struct dump *dump)
{
	return !dump->ports ||
	       is_one_of(ntohs(socket->id.idiag_sport), dump->ports, dump->port_count);
}

static int read_socket(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);
	struct sockdiag_socket found;

	/*
	 * A connection that waits in an accept queue has no inode yet, and belongs to no process.
	 */
	if (!socket->idiag_inode || !is_at_ports(socket, dump))
		return 0;
	found = (struct sockdiag_socket){
		.inode = socket->idiag_inode,
		.listens = socket->idiag_state == STATE_LISTEN,
		.queue = socket->idiag_rqueue,
		.received = received_of(header, socket),
	};
	return dump->found(dump->context, &found);
}

static uint64_t cookie_of(const struct inet_diag_msg *socket)
{
	return (uint64_t)socket->id.idiag_cookie[1] << 32 | socket->id.idiag_cookie[0];
}

static int read_listener(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);
	struct sockdiag_listener listener = {
		.cookie = cookie_of(socket),
		.inode = socket->idiag_inode,
		.uid = socket->idiag_uid,
		.port = ntohs(socket->id.idiag_sport),
		.family = socket->idiag_family,
	};

	memcpy(listener.address, socket->id.idiag_src, sizeof(listener.address));
	if (!dump->ports || is_at_ports(socket, dump))
		dump->on_listener(dump->context, &listener);
	return 0;
}

static void peer_of(const struct inet_diag_msg *socket, struct sockaddr_storage *ret_peer)
{
	struct sockaddr_in6 *v6 = (void *)ret_peer;
	struct sockaddr_in *v4 = (void *)ret_peer;

	*ret_peer = (struct sockaddr_storage){.ss_family = socket->idiag_family};
	if (socket->idiag_family == AF_INET) {
		v4->sin_port = socket->id.idiag_dport;
		memcpy(&v4->sin_addr, socket->id.idiag_dst, sizeof(v4->sin_addr));
	} else {
		v6->sin6_port = socket->id.idiag_dport;
		memcpy(&v6->sin6_addr, socket->id.idiag_dst, sizeof(v6->sin6_addr));
	}
}

static int read_waiting(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);
	struct sockdiag_waiting waiting = {
		.cookie = cookie_of(socket),
		.port = ntohs(socket->id.idiag_sport),
	};

	/* A connection with an inode has been accepted: see read_socket(). */
	if (socket->idiag_inode || !is_at_ports(socket, dump))
		return 0;
	peer_of(socket, &waiting.peer);
	return dump->on_waiting(dump->context, &waiting);
}

static int read_connection(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);
	struct sockdiag_connection connection = {
		.port = ntohs(socket->id.idiag_sport),
		.family = socket->idiag_family,
	};

	if (!is_at_ports(socket, dump))
		return 0;
	memcpy(connection.address, socket->id.idiag_src, sizeof(connection.address));
	peer_of(socket, &connection.peer);
	return dump->on_connection(dump->context, &connection);
}

static int read_handshake(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);
	struct handshakes *handshakes = dump->context;

	if (!is_at_ports(socket, dump))
		return 0;
	if (handshakes->count == handshakes->limit)
		return -E2BIG;
	if (handshakes->count == handshakes->room) {
		size_t room = handshakes->room ? 2 * handshakes->room : 256;
		uint64_t *cookies = realloc(handshakes->cookies, room * sizeof(*cookies));

		if (!cookies)
			return -ENOMEM;
		handshakes->cookies = cookies;
		handshakes->room = room;
	}
	handshakes->cookies[handshakes->count++] = cookie_of(socket);
	return 0;
}

/*
 * Handle one message. Returns END at the end of the dump, 0 if more follows, or the result of
 * dump->read (-errno or FOUND).
 */
static int read_message(const struct nlmsghdr *header, const struct dump *dump)
{
	if (header->nlmsg_type == NLMSG_DONE)
		return END;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error ?: END;
	return dump->read(dump, header);
}

static int read_dump(int fd, const struct dump *dump)
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
			int done = read_message(header, dump);

			if (done)
				return done == END ? 0 : done;
		}
	}
}

static int walk(const struct dump *dump)
{
	static const int families[] = {AF_INET, AF_INET6};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int error = 0;
	size_t i;

	if (fd < 0)
		return -errno;
	for (i = 0; i < 2 && !error; i++) {
		error = ask(fd, families[i], dump);
		if (!error)
			error = read_dump(fd, dump);
	}
	close(fd);
	return error;
}

int sockdiag_walk(const uint16_t *ports, size_t port_count, sockdiag_found_fn *found, void *context)
{
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = CONNECTION_BITS | LISTEN_BIT,
		.with_info = true,
		.read = read_socket,
		.found = found,
		.context = context,
	};

	return walk(&dump);
}

int sockdiag_listeners(const uint16_t *ports, size_t port_count, sockdiag_listener_fn *found,
		       void *context)
{
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = LISTEN_BIT,
		.read = read_listener,
		.on_listener = found,
		.context = context,
	};

	return walk(&dump);
}

int sockdiag_waiting(const uint16_t *ports, size_t port_count, sockdiag_waiting_fn *found,
		     void *context)
{
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = CONNECTION_BITS,
		.read = read_waiting,
		.on_waiting = found,
		.context = context,
	};

	return walk(&dump);
}

int sockdiag_each_connection(const uint16_t *ports, size_t port_count,
			     sockdiag_connection_fn *found, void *context)
{
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = CONNECTION_BITS,
		.read = read_connection,
		.on_connection = found,
		.context = context,
	};

	return walk(&dump);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int add_found(void *context, const struct sockdiag_socket *socket)
{
	return add(context, socket->inode);
}

long sockdiag_connections(const uint16_t *ports, size_t port_count, uint32_t **ret_inodes)
{
	struct inodes inodes = {0};
	/* `status` calls this often: the dump contains neither listening sockets nor tcp_info. */
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = CONNECTION_BITS,
		.read = read_socket,
		.found = add_found,
		.context = &inodes,
	};
	int error = walk(&dump);

	if (error) {
		free(inodes.items);
		return error;
	}
	if (inodes.count)
		qsort(inodes.items, inodes.count, sizeof(*inodes.items), compare);
	*ret_inodes = inodes.items;
	return (long)inodes.count;
}

static int read_any(const struct dump *dump, const struct nlmsghdr *header)
{
	return is_at_ports(NLMSG_DATA(header), dump) ? FOUND : 0;
}

int sockdiag_is_connected(const uint16_t *ports, size_t port_count)
{
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = CONNECTION_BITS,
		.read = read_any,
	};

	return walk(&dump);
}

static int read_any_waiting(const struct dump *dump, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);

	/* A connection with an inode has been accepted: see read_socket(). */
	return !socket->idiag_inode && is_at_ports(socket, dump) ? FOUND : 0;
}

int sockdiag_is_waited(const uint16_t *ports, size_t port_count)
{
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = OPEN_BIT,
		.read = read_any_waiting,
	};

	return walk(&dump);
}

static int compare_cookies(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

long sockdiag_handshakes(const uint16_t *ports, size_t port_count, size_t limit,
			 uint64_t **ret_cookies)
{
	struct handshakes handshakes = {.limit = limit};
	const struct dump dump = {
		.ports = ports,
		.port_count = port_count,
		.states = HANDSHAKE_BITS,
		.read = read_handshake,
		.context = &handshakes,
	};
	int error = walk(&dump);

	if (error) {
		free(handshakes.cookies);
		return error;
	}
	if (handshakes.count)
		qsort(handshakes.cookies, handshakes.count, sizeof(*handshakes.cookies),
		      compare_cookies);
	*ret_cookies = handshakes.cookies;
	return (long)handshakes.count;
}
