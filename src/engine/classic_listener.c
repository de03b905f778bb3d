// SPDX-License-Identifier: MIT
#include "engine/classic_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/reach.h"

/* How long the test connection may need from its connect() to the queue of the spare socket. */
#define ARRIVAL_MS 20

static int read_cookie(int socket, uint64_t *ret_cookie)
{
	socklen_t length = sizeof(*ret_cookie);

	return getsockopt(socket, SOL_SOCKET, SO_COOKIE, ret_cookie, &length) ? -errno : 0;
}

int classic_listener_init(struct classic_listener *listener, int first_socket)
{
	struct classic_program program = {
		.length = 1,
		.code = {{.code = BPF_RET | BPF_K, .k = 0}},
	};

	memset(listener, 0, sizeof(*listener));
	listener->spare = -1;
	memset(listener->reserved, -1, sizeof(listener->reserved));
	return classic_attach(first_socket, &program);
}

void classic_listener_fini(struct classic_listener *listener)
{
	uint32_t i;

	if (listener->spare >= 0)
		close(listener->spare);
	listener->spare = -1;
	for (i = 0; i < CLASSIC_CHECK_PORTS; i++) {
		if (listener->reserved[i] >= 0)
			close(listener->reserved[i]);
		listener->reserved[i] = -1;
	}
	free(listener->attached);
	listener->attached = NULL;
}

/* ---- The spare socket --------------------------------------------------------------- */

/*
 * Bind a socket to a port that the kernel chooses, at all addresses. With SO_REUSEADDR the sockets
 * of test connections can be bound there, too. Returns the socket or -errno.
 */
static int reserve_port(sa_family_t family, uint16_t *ret_port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.v6 = {.sin6_family = family}};
	socklen_t length = family == AF_INET6 ? sizeof(address.v6) : sizeof(address.v4);
	int yes = 1, no = 0, error, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
	    (family == AF_INET || !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no))) &&
	    !bind(fd, &address.any, length) && !getsockname(fd, &address.any, &length)) {
		*ret_port = family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port;
		return fd;
	}
	error = -errno;
	close(fd);
	return error;
}

/* Returns true if the address was not the one of its family before. */
static bool take_address(struct classic_check *check, const struct sockaddr_storage *source)
{
	const struct sockaddr_in6 *v6 = (const void *)source;
	const struct sockaddr_in *v4 = (const void *)source;
	struct classic_check previous = *check;

	if (source->ss_family == AF_INET6) {
		memcpy(check->v6, &v6->sin6_addr, sizeof(check->v6));
		check->has_v6 = true;
		return !previous.has_v6 || memcmp(previous.v6, check->v6, sizeof(check->v6)) != 0;
	}
	check->v4 = v4->sin_addr.s_addr;
	check->has_v4 = true;
	return !previous.has_v4 || previous.v4 != check->v4;
}

/* What was reserved before an error stays until classic_listener_fini(). */
static int reserve_sources(struct classic_listener *listener, const struct listener *address)
{
	struct reach ways[REACH_MAX];
	uint32_t count = reach_find(address, ways), i;

	for (i = 0; i < count; i++)
		take_address(&listener->check, &ways[i].from);
	for (i = 0; i < CLASSIC_CHECK_PORTS; i++) {
		listener->reserved[i] =
			reserve_port(address->address.ss_family, &listener->check.ports[i]);
		if (listener->reserved[i] < 0)
			return listener->reserved[i];
	}
	return 0;
}

bool classic_listener_source(struct classic_listener *listener, uint32_t number,
			     struct sockaddr_storage *source)
{
	if (source->ss_family == AF_INET6)
		((struct sockaddr_in6 *)source)->sin6_port = listener->check.ports[number];
	else
		((struct sockaddr_in *)source)->sin_port = listener->check.ports[number];
	return take_address(&listener->check, source);
}

/*
 * Switch off TCP_DEFER_ACCEPT, which the host may have set on the socket. With this option the test
 * connection, which sends nothing, would never arrive.
 */
static int accept_at_once(int fd)
{
	int zero = 0;

	return setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &zero, sizeof(zero)) ? -errno : 0;
}

int classic_listener_open_spare(struct classic_listener *listener, const struct listener *address)
{
	int fd, index, error = reserve_sources(listener, address);

	if (error)
		return error;
	fd = listener_bind(address);
	if (fd < 0)
		return fd;
	error = accept_at_once(fd);
	if (!error && (fcntl(fd, F_SETFL, O_NONBLOCK) || listen(fd, address->backlog)))
		error = -errno;
	if (!error)
		error = read_cookie(fd, &listener->spare_cookie);
	if (!error) {
		index = socket_order_join(&listener->order, listener->spare_cookie);
		error = index < 0 ? index : 0;
	}
	if (error) {
		close(fd);
		return error;
	}
	listener->spare = fd;
	return 0;
}

int classic_listener_watch(const struct classic_listener *listener, int epoll)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (listener->spare < 0 || !epoll_ctl(epoll, EPOLL_CTL_ADD, listener->spare, &event) ||
	    errno == EEXIST)
		return 0;
	return -errno;
}

union peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A dual-stack socket has v4-mapped addresses of IPv4 peers. */
static void unmap(union peer *peer)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = peer->v6.sin6_port};

	if (peer->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&peer->v6.sin6_addr))
		return;
	memcpy(&v4.sin_addr, &peer->v6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
	peer->v4 = v4;
}

/* Returns true if a connection comes from an address and port of test connections. */
static bool is_check(const struct classic_listener *listener, union peer peer)
{
	const struct classic_check *check = &listener->check;
	in_port_t port;
	uint32_t i;

	unmap(&peer);
	if (peer.any.sa_family == AF_INET6) {
		if (!check->has_v6 || memcmp(&peer.v6.sin6_addr, check->v6, sizeof(check->v6)) != 0)
			return false;
		port = peer.v6.sin6_port;
	} else {
		if (!check->has_v4 || peer.v4.sin_addr.s_addr != check->v4)
			return false;
		port = peer.v4.sin_port;
	}
	for (i = 0; i < CLASSIC_CHECK_PORTS; i++)
		if (check->ports[i] == port)
			return true;
	return false;
}

static bool serves_any(const struct classic_listener *listener, uint32_t count)
{
	uint32_t slot;

	for (slot = 0; slot < count; slot++)
		if (listener->serves[slot])
			return true;
	return false;
}

void classic_listener_reset(struct classic_listener *listener)
{
	const struct linger reset = {.l_onoff = 1};
	union peer peer = {.v6 = {0}};
	socklen_t length = sizeof(peer);
	int fd;

	while ((fd = accept4(listener->spare, &peer.any, &length, SOCK_CLOEXEC)) >= 0) {
		if (is_check(listener, peer))
			listener->was_checked = true;
		else
			listener->has_strays |= serves_any(listener, STICKY_SLOTS_LIMIT);
		/* If this fails, the client sees the end of the connection instead of a reset. */
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		length = sizeof(peer);
	}
}

int classic_listener_judge(struct classic_listener *listener, bool was_refused)
{
	struct pollfd poller = {.fd = listener->spare, .events = POLLIN};
	int result;

	classic_listener_reset(listener);
	if (!was_refused && !listener->was_checked && poll(&poller, 1, ARRIVAL_MS) > 0)
		classic_listener_reset(listener);
	result = !listener->was_checked || listener->has_strays;
	/* No socket of the group refuses a connection: something else has done it. */
	if (was_refused && !listener->has_strays)
		result = -ECONNREFUSED;
	listener->was_checked = listener->has_strays = false;
	return result;
}

/* ---- Slots ---------------------------------------------------------------------------- */

int classic_listener_put(struct classic_listener *listener, uint32_t slot, int socket)
{
	uint64_t cookie = 0;
	int error = read_cookie(socket, &cookie);

	if (!error)
		error = socket_order_join(&listener->order, cookie);
	if (error < 0)
		return error;
	/* Connections that have been refused until now must not count as strays. */
	if (listener->spare >= 0 && !serves_any(listener, STICKY_SLOTS_LIMIT))
		classic_listener_reset(listener);
	listener->cookie[slot] = cookie;
	listener->serves[slot] = true;
	return 0;
}

void classic_listener_lose(struct classic_listener *listener, uint32_t slot)
{
	socket_order_leave(&listener->order, listener->cookie[slot]);
	listener->cookie[slot] = 0;
	listener->serves[slot] = false;
}

/*
 * Leave out the slots that do not serve this listener. The n-th part of the buckets of such a slot
 * goes to the n-th slot that serves, as in table_spill(). The shares are counted here, as the table
 * may be one from which other slots have been left out already.
 */
static void leave_out(const struct classic_listener *listener, uint32_t count, uint16_t *slots)
{
	uint32_t share[STICKY_SLOTS_LIMIT] = {0}, dealt[STICKY_SLOTS_LIMIT] = {0};
	uint16_t serving[STICKY_SLOTS_LIMIT];
	uint32_t servers = 0, slot, bucket;

	for (slot = 0; slot < count; slot++)
		if (listener->serves[slot])
			serving[servers++] = (uint16_t)slot;
	if (!servers || servers == count)
		return;
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		share[slots[bucket]]++;
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++) {
		uint32_t owner = slots[bucket];

		if (listener->serves[owner])
			continue;
		slots[bucket] = serving[(uint64_t)dealt[owner]++ * servers / share[owner]];
	}
}

struct classic_program *classic_listener_program(const struct classic_listener *listener,
						 const struct sticky_settings *settings,
						 const uint16_t *slots, uint32_t count)
{
	struct classic_program *program = malloc(sizeof(*program));
	uint16_t *served = malloc(STICKY_BUCKETS * sizeof(*served));
	uint16_t index[STICKY_SLOTS_LIMIT] = {0};
	struct classic_spec spec = {
		.settings = settings,
		.slots = served,
		.index = index,
		.other = (uint16_t)socket_order_find(&listener->order, listener->spare_cookie),
		.refuses = !serves_any(listener, count),
		.check = listener->check,
	};
	uint32_t slot;

	if (!program || !served) {
		free(program);
		free(served);
		return NULL;
	}
	memcpy(served, slots, STICKY_BUCKETS * sizeof(*served));
	leave_out(listener, count, served);
	for (slot = 0; slot < count; slot++)
		if (listener->serves[slot])
			index[slot] = (uint16_t)socket_order_find(&listener->order,
								  listener->cookie[slot]);
	program->error = classic_program_make(&spec, program->code, &program->length);
	free(served);
	return program;
}

static bool is_same(const struct classic_program *a, const struct classic_program *b)
{
	return a && a->length == b->length &&
	       !memcmp(a->code, b->code, a->length * sizeof(a->code[0]));
}

int classic_listener_attach(struct classic_listener *listener, struct classic_program *program,
			    bool anew)
{
	int error = program->error;

	if (error || (!anew && is_same(listener->attached, program))) {
		free(program);
		return error;
	}
	error = classic_attach(listener->spare, program);
	if (error) {
		free(program);
		return error;
	}
	free(listener->attached);
	listener->attached = program;
	return 0;
}
