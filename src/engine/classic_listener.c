// SPDX-License-Identifier: MIT
#include "engine/classic_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the test connection may need from its connect() to the queue of the spare socket. */
#define ARRIVAL_MS 20

static int read_cookie(int socket, uint64_t *ret_cookie)
{
	socklen_t length = sizeof(*ret_cookie);

	return getsockopt(socket, SOL_SOCKET, SO_COOKIE, ret_cookie, &length) ? -errno : 0;
}

static bool has_device(int socket)
{
	char name[IF_NAMESIZE] = "";
	socklen_t length = sizeof(name);

	return !getsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, name, &length) && length > 0 &&
	       name[0];
}

int classic_listener_init(struct classic_listener *listener, int first_socket)
{
	struct classic_program program = {
		.length = 1,
		.code = {{.code = BPF_RET | BPF_K, .k = 0}},
	};

	memset(listener, 0, sizeof(*listener));
	listener->spare = listener->reserved = -1;
	listener->has_device = has_device(first_socket);
	return classic_attach(first_socket, &program);
}

void classic_listener_fini(struct classic_listener *listener)
{
	if (listener->spare >= 0)
		close(listener->spare);
	if (listener->reserved >= 0)
		close(listener->reserved);
	listener->spare = listener->reserved = -1;
	free(listener->attached);
	listener->attached = NULL;
}

/* ---- The spare socket --------------------------------------------------------------- */

/*
 * Bind a socket to the address from which test connections come, at a port that the kernel chooses.
 * With SO_REUSEADDR the sockets of test connections can be bound there, too. With IP_FREEBIND, an
 * option that IPv6 sockets also have, the machine need not have the address yet.
 */
static int reserve_source(struct classic_listener *listener, const struct listener *address)
{
	struct sockaddr_storage source = listener_reach(address);
	struct sockaddr_in6 *v6 = (void *)&source;
	struct sockaddr_in *v4 = (void *)&source;
	socklen_t length = address->length;
	int yes = 1, error, fd = socket(source.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (source.ss_family == AF_INET6)
		v6->sin6_port = 0;
	else
		v4->sin_port = 0;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
	    !setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &yes, sizeof(yes)) &&
	    !bind(fd, (const void *)&source, length) &&
	    !getsockname(fd, (void *)&source, &length)) {
		listener->check = source;
		listener->reserved = fd;
		return 0;
	}
	error = -errno;
	close(fd);
	return error;
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
	int fd, index, error = reserve_source(listener, address);

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

/* Returns true if a connection comes from the address and port of test connections. */
static bool is_check(const struct classic_listener *listener, const union peer *peer)
{
	const struct sockaddr_in6 *v6 = (const void *)&listener->check;
	const struct sockaddr_in *v4 = (const void *)&listener->check;

	if (peer->any.sa_family != listener->check.ss_family)
		return false;
	if (peer->any.sa_family == AF_INET6)
		return peer->v6.sin6_port == v6->sin6_port &&
		       !memcmp(&peer->v6.sin6_addr, &v6->sin6_addr, sizeof(v6->sin6_addr));
	return peer->v4.sin_port == v4->sin_port && peer->v4.sin_addr.s_addr == v4->sin_addr.s_addr;
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
		if (is_check(listener, &peer))
			listener->was_checked = true;
		else
			listener->has_strays |= serves_any(listener, STICKY_SLOTS_LIMIT);
		/* If this fails, the client sees the end of the connection instead of a reset. */
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		length = sizeof(peer);
	}
}

bool classic_listener_was_checked(struct classic_listener *listener)
{
	struct pollfd poller = {.fd = listener->spare, .events = POLLIN};
	bool was_checked;

	classic_listener_reset(listener);
	if (!listener->was_checked && poll(&poller, 1, ARRIVAL_MS) > 0)
		classic_listener_reset(listener);
	was_checked = listener->was_checked && !listener->has_strays;
	listener->was_checked = listener->has_strays = false;
	return was_checked;
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
