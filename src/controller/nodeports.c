// SPDX-License-Identifier: MIT
#include "nodeports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uthash.h>

#include "../lib/listener.h"
#include "listen.h"
#include "privilege.h"
#include "report.h"

#define FIRST_FD   3 /* listen({fd: 3}) is the first listener, as with socket activation */
#define KEY_SIZE   192
#define SHARED_MAX 256 /* an application that asks for more has lost its way */
#define ERROR_SIZE 512

struct shared {
	char key[KEY_SIZE];
	char path[CLUSTER_ADDRESS_SIZE]; /* of a UNIX socket, to be removed; "": none */
	int fd;
	uint32_t holders; /* workers that have it open */
	json_t *data;
	UT_hash_handle hh;
};

/* A socket of a former controller's workers. */
struct orphan {
	struct orphan *next;
	uint64_t cookie;
	int fd;
};

struct nodeports {
	struct nodeports_options options;
	struct orphan *orphans;
	struct shared *shared; /* by key */
	bool is_over;	       /* nobody comes next */
	int main_port;	       /* that the application asked for first; 0: none yet */
	json_t *data[STICKY_LISTENERS_LIMIT]; /* of the listeners */
};

/* ---- Listeners of the group ------------------------------------------------------------- */

static int find_by_port(const struct nodeports *ports, int port)
{
	uint16_t numbers[STICKY_LISTENERS_LIMIT];
	size_t count = listen_ports(ports->options.group, numbers), i;

	for (i = 0; i < count; i++)
		if (numbers[i] == port)
			return (int)i;
	return -1;
}

/* Of both families. */
static bool is_every_address(const struct cluster_query *query)
{
	return (!query->address[0] || !strcmp(query->address, "::")) &&
	       !(query->flags & CLUSTER_IPV6_ONLY);
}

/* "": as sticky_group_listener_address() writes it. */
static void format_exact(const struct cluster_query *query, size_t size, char *text)
{
	const char *address = query->address[0] ? query->address : "::";

	snprintf(text, size, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, query->port);
}

/* "127.0.0.1:3000", "[::1]:3000"; every address, IPv6's included, is ":3000", as in Node.js. */
static void format_address(const struct cluster_query *query, size_t size, char *text)
{
	if (is_every_address(query))
		snprintf(text, size, ":%d", query->port);
	else
		format_exact(query, size, text);
}

static int add_listener(struct nodeports *ports, const struct cluster_query *query)
{
	char address[CLUSTER_ADDRESS_SIZE + 16], error[ERROR_SIZE];
	int listener;

	format_address(query, sizeof(address), address);
	privilege_raise(CAP_NET_BIND_SERVICE);
	privilege_raise(CAP_BPF);
	listener = listen_on(ports->options.group, address, error, sizeof(error));
	privilege_lower();
	if (listener < 0) {
		report(STICKY_LOG_ERROR, "listen_failed", "why=\"%s\"", error);
		return listener;
	}
	ports->main_port = query->port;
	ports->options.added(ports->options.context);
	return listener;
}

static int find_text(const struct nodeports *ports, const char *wanted)
{
	uint32_t count = sticky_group_listener_count(ports->options.group), i;
	char text[STICKY_ADDRESS_TEXT_SIZE];

	for (i = 0; i < count; i++) {
		sticky_group_listener_address(ports->options.group, i, sizeof(text), text);
		if (!strcmp(text, wanted))
			return (int)i;
	}
	return -1;
}

static int find_exact(const struct nodeports *ports, const struct cluster_query *query)
{
	char wanted[CLUSTER_ADDRESS_SIZE + 16];
	int listener;

	format_exact(query, sizeof(wanted), wanted);
	listener = find_text(ports, wanted);
	if (listener >= 0 || !is_every_address(query))
		return listener;
	/* On a machine without IPv6. */
	snprintf(wanted, sizeof(wanted), "0.0.0.0:%d", query->port);
	return find_text(ports, wanted);
}

/* Of those of a port the first one that the worker has not. */
static int find_free(const struct nodeports *ports, int port, uint32_t held)
{
	uint16_t numbers[STICKY_LISTENERS_LIMIT];
	size_t count = listen_ports(ports->options.group, numbers), i;

	for (i = 0; i < count; i++)
		if (numbers[i] == port && !(held & 1u << i))
			return (int)i;
	return find_by_port(ports, port);
}

static int find_by_fd(const struct nodeports *ports, int fd)
{
	int listener = fd - FIRST_FD;

	return (uint32_t)listener < sticky_group_listener_count(ports->options.group) ? listener
										      : -EBADF;
}

/* Where the user named none, another address of the same port is one more. */
static bool may_add(const struct nodeports *ports, int port)
{
	if (ports->options.is_named)
		return false;
	return !ports->main_port || (port == ports->main_port && ports->options.may_add);
}

/* The listener that a query means; -ENOENT: it is for a shared socket. */
static int find_listener(struct nodeports *ports, const struct cluster_query *query, uint32_t held)
{
	int listener;

	if (query->fd >= FIRST_FD)
		return find_by_fd(ports, query->fd);
	if (query->udp || query->address_type < 0 || query->port <= 0)
		return -ENOENT;
	listener = find_exact(ports, query);
	/* Where it was named the port is what counts: a program may not know its address. */
	if (listener < 0 && ports->options.is_named)
		listener = find_free(ports, query->port, held);
	if (listener >= 0)
		return listener;
	return may_add(ports, query->port) ? add_listener(ports, query) : -ENOENT;
}

int nodeports_listener_of(const struct nodeports *ports, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.v6 = {0}};
	socklen_t length = sizeof(address);
	struct cluster_query query = {0};
	int listener;

	if (sticky_group_listener_count(ports->options.group) < 2 ||
	    getsockname(fd, &address.any, &length))
		return 0;
	if (address.any.sa_family == AF_INET) {
		query.port = ntohs(address.v4.sin_port);
		inet_ntop(AF_INET, &address.v4.sin_addr, query.address, sizeof(query.address));
	} else {
		query.port = ntohs(address.v6.sin6_port);
		inet_ntop(AF_INET6, &address.v6.sin6_addr, query.address, sizeof(query.address));
	}
	listener = find_exact(ports, &query);
	if (listener < 0) {
		snprintf(query.address, sizeof(query.address), "%s",
			 address.any.sa_family == AF_INET ? "0.0.0.0" : "::");
		listener = find_exact(ports, &query);
	}
	if (listener < 0)
		listener = find_by_port(ports, query.port);
	return listener < 0 ? 0 : listener;
}

uint32_t nodeports_listeners(const struct nodeports *ports)
{
	_Static_assert(STICKY_LISTENERS_LIMIT < 32, "a bit each");

	return (1u << sticky_group_listener_count(ports->options.group)) - 1;
}

void nodeports_missing(const struct nodeports *ports, uint32_t listening, size_t size,
		       char *ret_text)
{
	uint32_t count = sticky_group_listener_count(ports->options.group), i;
	char text[STICKY_ADDRESS_TEXT_SIZE];
	size_t length = 0;

	ret_text[0] = '\0';
	for (i = 0; ports->options.is_named && i < count && length < size; i++) {
		if (listening & 1u << i)
			continue;
		sticky_group_listener_address(ports->options.group, i, sizeof(text), text);
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s",
					   length ? ", " : "", text);
	}
}

/* ---- Shared sockets ------------------------------------------------------------------------ */

static int open_path(const char *path, int backlog)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd, error;

	if (!*path || strlen(path) >= sizeof(name.sun_path))
		return -EINVAL;
	strcpy(name.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const void *)&name, sizeof(name)) || listen(fd, backlog)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int resolve(const struct cluster_query *query, struct sockaddr_storage *ret_address)
{
	bool is_v6 = query->udp ? query->udp == '6'
				: query->address_type == 6 || strchr(query->address, ':');
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;
	const char *text = query->address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (!*text && !query->udp)
		is_v6 = true; /* every address: dual-stack */
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
	privilege_raise(CAP_NET_BIND_SERVICE);
	error = bind(fd, (const void *)&address,
		     address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						   : sizeof(struct sockaddr_in))
			? -errno
			: 0;
	privilege_lower();
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static int open_shared(const struct nodeports *ports, const struct cluster_query *query)
{
	int fd, error;

	if (query->fd >= 0)
		return -EBADF;
	if (!query->udp && query->port < 0)
		return open_path(query->address, ports->options.backlog);
	if (query->port < 0 || query->port > 65535)
		return -EINVAL;
	fd = bind_address(query);
	if (fd < 0 || query->udp)
		return fd;
	if (listen(fd, ports->options.backlog)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* ---- Sockets that only workers have -----------------------------------------------------------
 */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
	return cookie;
}

static bool is_known(const struct nodeports *ports, uint64_t cookie)
{
	const struct orphan *orphan = ports->orphans;

	while (orphan && orphan->cookie != cookie)
		orphan = orphan->next;
	return orphan != NULL;
}

/* Does it listen, or is it a UDP socket that is bound and not connected? */
static bool is_server(int fd)
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

/* A life's own socket must not be kept: what is queued on it moves when it is closed. */
static bool is_steered(const struct nodeports *ports, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (void *)&address, &length))
		return true;
	if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
		return false;
	/* The port is at the same place in both. */
	return find_by_port(ports, ntohs(((struct sockaddr_in *)&address)->sin_port)) >= 0;
}

void nodeports_offer(struct nodeports *ports, int fd)
{
	uint64_t cookie = cookie_of(fd);
	struct orphan *orphan = NULL;

	if (cookie && is_server(fd) && !is_steered(ports, fd) && !is_known(ports, cookie))
		orphan = malloc(sizeof(*orphan));
	if (!orphan) {
		close(fd);
		return;
	}
	*orphan = (struct orphan){.next = ports->orphans, .cookie = cookie, .fd = fd};
	ports->orphans = orphan;
}

/* Is it the socket of this path, or of this address? */
static bool is_at(int fd, const struct cluster_query *query)
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

/* Returns the descriptor, or -ENOENT: there is none. */
static int reclaim(struct nodeports *ports, const struct cluster_query *query)
{
	struct orphan **link = &ports->orphans, *orphan;
	int fd;

	while ((orphan = *link) && !is_at(orphan->fd, query))
		link = &orphan->next;
	if (!orphan)
		return -ENOENT;
	fd = orphan->fd;
	*link = orphan->next;
	free(orphan);
	return fd;
}

static void close_shared(struct nodeports *ports, struct shared *shared)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): out, then freed */
	HASH_DEL(ports->shared, shared);
	close(shared->fd);
	if (shared->path[0])
		unlink(shared->path);
	json_decref(shared->data);
	free(shared);
}

void nodeports_hold(struct nodeports *ports, const char *key)
{
	struct shared *shared;

	HASH_FIND_STR(ports->shared, key, shared);
	if (shared)
		shared->holders++;
}

void nodeports_release(struct nodeports *ports, const char *key, bool is_wanted)
{
	struct shared *shared;

	HASH_FIND_STR(ports->shared, key, shared);
	if (shared && shared->holders && !--shared->holders && !(is_wanted && !ports->is_over))
		close_shared(ports, shared);
}

void nodeports_stop(struct nodeports *ports)
{
	struct shared *shared, *next;

	if (!ports)
		return;
	ports->is_over = true;
	for (shared = ports->shared; shared; shared = next) {
		next = shared->hh.next;
		if (!shared->holders)
			close_shared(ports, shared);
	}
}

/* What the first worker of a server sent is every worker's. */
static const json_t *keep_data(json_t **kept, const json_t *data)
{
	if (!*kept && data && !json_is_null(data))
		*kept = json_deep_copy(data);
	return *kept;
}

static int share(struct nodeports *ports, const struct cluster_query *query, const json_t *data,
		 struct nodeport *ret_port)
{
	char key[KEY_SIZE];
	struct shared *shared;
	bool was_theirs;
	int fd;

	cluster_key(query, sizeof(key), key);
	HASH_FIND_STR(ports->shared, key, shared);
	if (shared) {
		*ret_port = (struct nodeport){-1, shared->fd, keep_data(&shared->data, data)};
		return 0;
	}
	if (HASH_COUNT(ports->shared) >= SHARED_MAX)
		return -ENFILE;
	/* First: with reuseAddr a second one could be bound, and datagrams would come to one of
	 * both. */
	fd = reclaim(ports, query);
	was_theirs = fd >= 0;
	if (!was_theirs)
		fd = open_shared(ports, query);
	if (fd < 0)
		return fd;
	shared = calloc(1, sizeof(*shared));
	if (!shared) {
		close(fd);
		return -ENOMEM;
	}
	memcpy(shared->key, key, sizeof(key));
	if (!query->udp && query->port < 0)
		memcpy(shared->path, query->address, sizeof(shared->path));
	shared->fd = fd;
	/* Who of a former controller's workers has it too is not known: it stays. */
	shared->holders = was_theirs;
	HASH_ADD_STR(ports->shared, key, shared);
	*ret_port = (struct nodeport){-1, fd, keep_data(&shared->data, data)};
	return 0;
}

/* ---- Both ------------------------------------------------------------------------------------ */

int nodeports_find(struct nodeports *ports, const struct cluster_query *query, uint32_t held,
		   const json_t *data, struct nodeport *ret_port)
{
	int listener;

	if (query->is_too_long)
		return -ENAMETOOLONG;
	listener = find_listener(ports, query, held);
	if (listener == -ENOENT)
		return share(ports, query, data, ret_port);
	if (listener < 0)
		return listener;
	/* Two servers of one process can't have the same address. */
	if (held & 1u << listener)
		return -EADDRINUSE;
	*ret_port = (struct nodeport){listener, -1, keep_data(&ports->data[listener], data)};
	return 0;
}

int nodeports_open(const struct nodeports_options *options, struct nodeports **ret_ports)
{
	struct nodeports *ports = calloc(1, sizeof(*ports));
	uint16_t numbers[STICKY_LISTENERS_LIMIT];

	if (!ports)
		return -ENOMEM;
	ports->options = *options;
	/* Those of a former controller: what its application had asked for. */
	if (listen_ports(options->group, numbers))
		ports->main_port = numbers[0];
	*ret_ports = ports;
	return 0;
}

void nodeports_close(struct nodeports *ports)
{
	struct shared *shared, *next;
	struct orphan *orphan;
	size_t i;

	if (!ports)
		return;
	while ((orphan = ports->orphans)) {
		ports->orphans = orphan->next;
		close(orphan->fd);
		free(orphan);
	}
	for (shared = ports->shared; shared; shared = next) {
		next = shared->hh.next;
		close_shared(ports, shared);
	}
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		json_decref(ports->data[i]);
	free(ports);
}
