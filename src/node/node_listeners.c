// SPDX-License-Identifier: MIT
#include "node/node_listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen/address_wider.h"
#include "listen/listeners.h"
#include "common/error_text.h"
#include "rights/privilege.h"
#include "common/log.h"
#include "common/sanitize.h"
#include "node/query_address.h"
#include "node/shared_servers.h"

#define FIRST_FD 3 /* listen({fd: 3}) means the first listener, as with socket activation */

struct node_listeners {
	struct node_listeners_options options;
	struct shared_servers *shared;
	uint8_t said[65536 / 8]; /* one bit for each port that report_shared() has logged */
	/* of each slot: the listeners of its last READY worker, one bit each */
	uint32_t opened[STICKY_SLOTS_LIMIT];
	uint32_t wider; /* listeners of which say_wider() has warned, one bit each */
	struct node_listeners_watch *watches;
	json_t *data[STICKY_LISTENERS_LIMIT]; /* of each listener: the data of the first query */
};

/* ---- Listeners of the group ------------------------------------------------------------- */

static int find_by_port(const struct node_listeners *ports, int port)
{
	uint16_t numbers[STICKY_LISTENERS_LIMIT];
	size_t count = listen_ports(ports->options.group, numbers), i;

	for (i = 0; i < count; i++)
		if (numbers[i] == port)
			return (int)i;
	return -1;
}

static void report_low_port(const char *address)
{
	report(STICKY_LOG_ERROR, "listen_failed",
	       "on=%s error=\"%s\" hint=\"workers of this user may not bind the port; name it on "
	       "the "
	       "command line: -l %s\"",
	       address, strerror(EACCES), address);
}

/*
 * Add a listener for a query. A port that needs CAP_NET_BIND_SERVICE is only for workers of root.
 * For others the command line must name it.
 */
static int add_listener(const struct node_listeners *ports, const struct cluster_query *query)
{
	char address[CLUSTER_ADDRESS_SIZE + 16];
	struct error_text error;
	struct node_listeners_watch *watch, *next;
	unsigned int previous;
	int listener;

	if (!query_is_numeric(query->address))
		return -EINVAL;
	query_format_address(query, sizeof(address), address);
	previous = privilege_raise(
		user_rights_are_of_root(ports->options.rights) ? PRIVILEGE_NET_BIND_SERVICE : 0);
	listener = listen_on(ports->options.group, address, &error);
	privilege_restore(previous);
	if (listener == -EACCES) {
		report_low_port(address);
		return listener;
	}
	if (listener == -E2BIG)
		return listener;
	if (listener < 0) {
		error_text_join_lines(&error);
		text_clean_value(error.text); /* the text has an address that a worker chose */
		report(STICKY_LOG_ERROR, "listen_failed", "why=\"%s\"", error.text);
		return listener;
	}
	ports->options.added(ports->options.context);
	for (watch = ports->watches; watch; watch = next) {
		next = watch->next;
		watch->added(watch);
	}
	return listener;
}

static int find_text(const struct node_listeners *ports, const char *wanted)
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

static int find_exact(const struct node_listeners *ports, const struct cluster_query *query)
{
	char wanted[CLUSTER_ADDRESS_SIZE + 16];
	int listener;

	query_format_exact(query, sizeof(wanted), wanted);
	listener = find_text(ports, wanted);
	if (listener >= 0 || !query_is_every_address(query))
		return listener;
	/* On a machine without IPv6 the listener of ":PORT" has the address 0.0.0.0. */
	snprintf(wanted, sizeof(wanted), "0.0.0.0:%d", query->port);
	return find_text(ports, wanted);
}

/*
 * Returns a listener of the port: the first one that the worker does not have, else the first one;
 * -1: there is none.
 */
static int find_free(const struct node_listeners *ports, int port, uint32_t held)
{
	uint16_t numbers[STICKY_LISTENERS_LIMIT];
	size_t count = listen_ports(ports->options.group, numbers), i;

	for (i = 0; i < count; i++)
		if (numbers[i] == port && !(held & 1u << i))
			return (int)i;
	return find_by_port(ports, port);
}

static int find_by_fd(const struct node_listeners *ports, int fd)
{
	int listener = fd - FIRST_FD;

	return (uint32_t)listener < sticky_group_listener_count(ports->options.group) ? listener
										      : -EBADF;
}

bool node_listeners_may_grow(const struct node_listeners *ports)
{
	return !ports->options.is_named && ports->options.may_add;
}

/* Log once for each port that it can't become a listener, and is shared instead. */
static void report_shared(struct node_listeners *ports, const struct cluster_query *query,
			  const char *why)
{
	uint8_t *byte = &ports->said[(uint16_t)query->port / 8],
		bit = (uint8_t)(1u << query->port % 8);

	if (*byte & bit)
		return;
	*byte |= bit;
	report(STICKY_LOG_WARN, "port_shared",
	       "port=%d why=\"%s\" so=\"any worker gets its connections\" hint=\"name the ports "
	       "whose clients are to stay with one worker by -l\"",
	       query->port, why);
}

/*
 * Add a listener for a query. Returns its index; -ENOENT: the port is to be shared; or another
 * -errno.
 */
static int add_if_possible(struct node_listeners *ports, const struct cluster_query *query)
{
	int listener;

	/* A socket that workers of a previous controller share can't be bound anew beside them. */
	if (ports->options.is_named || shared_servers_has(ports->shared, query))
		return -ENOENT;
	if (!ports->options.may_add && sticky_group_listener_count(ports->options.group)) {
		report_shared(
			ports, query,
			"where connections are passed, the first address alone is a listener");
		return -ENOENT;
	}
	listener = add_listener(ports, query);
	if (listener != -E2BIG)
		return listener;
	report_shared(ports, query, "a group has no more listeners");
	return -ENOENT;
}

/*
 * Returns the listener that a query means; -ENOENT: the query is for a shared socket; or another
 * -errno.
 */
static int find_listener(struct node_listeners *ports, const struct cluster_query *query,
			 uint32_t held)
{
	int listener;

	if (query->fd >= FIRST_FD)
		return find_by_fd(ports, query->fd);
	if (query->udp || query->address_type < 0 || query->port <= 0)
		return -ENOENT;
	listener = find_exact(ports, query);
	/* With -l the port decides: the application need not know the address that -l names. */
	if (listener < 0 && ports->options.is_named)
		listener = find_free(ports, query->port, held);
	if (listener >= 0)
		return listener;
	return add_if_possible(ports, query);
}

int node_listeners_index_of(const struct node_listeners *ports, int fd)
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

uint32_t node_listeners_all(const struct node_listeners *ports)
{
	_Static_assert(STICKY_LISTENERS_LIMIT < 32, "a bit each");

	return (1u << sticky_group_listener_count(ports->options.group)) - 1;
}

void node_listeners_address(const struct node_listeners *ports, uint32_t listener, size_t size,
			    char *ret_text)
{
	sticky_group_listener_address(ports->options.group, listener, size, ret_text);
}

/* ---- What the workers of a slot listen on ------------------------------------------------ */

void node_listeners_watch(struct node_listeners *ports, struct node_listeners_watch *watch)
{
	watch->next = ports->watches;
	ports->watches = watch;
}

void node_listeners_unwatch(struct node_listeners *ports, const struct node_listeners_watch *watch)
{
	struct node_listeners_watch **link = &ports->watches;

	while (*link && *link != watch)
		link = &(*link)->next;
	if (*link)
		*link = watch->next;
}

void node_listeners_remember(struct node_listeners *ports, uint32_t slot, uint32_t listening)
{
	ports->opened[slot] = listening;
}

uint32_t node_listeners_wanted(const struct node_listeners *ports, uint32_t slot)
{
	uint32_t common = UINT32_MAX, i;

	if (ports->opened[slot])
		return ports->opened[slot];
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (ports->opened[i])
			common &= ports->opened[i];
	return common == UINT32_MAX ? 0 : common;
}

void node_listeners_missing(const struct node_listeners *ports, uint32_t listening, size_t size,
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

/*
 * Is this a worker's own socket at one of the listeners? Such a socket must not be kept open here:
 * its queue moves to the next worker when its last descriptor is closed.
 */
static bool is_steered(const struct node_listeners *ports, int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (void *)&address, &length))
		return true;
	if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
		return false;
	/* sin_port and sin6_port have the same offset. */
	return find_by_port(ports, ntohs(((struct sockaddr_in *)&address)->sin_port)) >= 0;
}

void node_listeners_offer(struct node_listeners *ports, int fd)
{
	if (is_steered(ports, fd))
		close(fd);
	else
		shared_servers_offer(ports->shared, fd);
}

void node_listeners_hold(struct node_listeners *ports, const char *key)
{
	shared_servers_hold(ports->shared, key);
}

void node_listeners_release(struct node_listeners *ports, const char *key, bool is_wanted)
{
	shared_servers_release(ports->shared, key, is_wanted);
}

void node_listeners_stop(struct node_listeners *ports)
{
	if (ports)
		shared_servers_stop(ports->shared);
}

/*
 * May a worker have this port, although it needs CAP_NET_BIND_SERVICE? A worker of root may. For
 * others -l must name the port. The application may then have its number for UDP, too, as HTTP/3
 * wants.
 */
static bool may_be_low(const struct node_listeners *ports, const struct cluster_query *query)
{
	return user_rights_are_of_root(ports->options.rights) ||
	       (ports->options.is_named && find_by_port(ports, query->port) >= 0);
}

static int share(struct node_listeners *ports, const struct cluster_query *query,
		 const json_t *data, struct node_listener *ret_port)
{
	struct node_listener port = {.listener = -1};
	int error = shared_servers_find(ports->shared, query, may_be_low(ports, query), data,
					&port.fd, &port.data);

	if (!error)
		*ret_port = port;
	return error;
}

/* ---- Both ------------------------------------------------------------------------------------ */

/*
 * Warn once for each listener that the application asks for one address, and -l has opened all: a
 * server that was for this machine alone is open to all others.
 */
static void say_wider(struct node_listeners *ports, const struct cluster_query *query,
		      uint32_t listener)
{
	char asked[CLUSTER_ADDRESS_SIZE + 16], listens[STICKY_ADDRESS_TEXT_SIZE];

	node_listeners_address(ports, listener, sizeof(listens), listens);
	if (!ports->options.is_named || ports->wider & 1u << listener || query->fd >= FIRST_FD ||
	    !query_is_narrower(query, listens))
		return;
	ports->wider |= 1u << listener;
	query_format_exact(query, sizeof(asked), asked);
	address_wider_report(asked, listens);
}

int node_listeners_find(struct node_listeners *ports, const struct cluster_query *query,
			uint32_t held, const json_t *data, struct node_listener *ret_port)
{
	int listener;

	if (query->is_too_long)
		return -ENAMETOOLONG;
	listener = find_listener(ports, query, held);
	if (listener == -ENOENT)
		return share(ports, query, data, ret_port);
	if (listener < 0)
		return listener;
	/* One process can't have two servers at the same address. */
	if (held & 1u << listener)
		return -EADDRINUSE;
	say_wider(ports, query, (uint32_t)listener);
	*ret_port = (struct node_listener){listener, -1,
					   shared_servers_keep_data(&ports->data[listener], data)};
	return 0;
}

int node_listeners_open(const struct node_listeners_options *options,
			struct node_listeners **ret_ports)
{
	struct node_listeners *ports = calloc(1, sizeof(*ports));
	int error;

	if (!ports)
		return -ENOMEM;
	error = shared_servers_open(options->backlog, options->rights, &ports->shared);
	if (error) {
		free(ports);
		return error;
	}
	ports->options = *options;
	*ret_ports = ports;
	return 0;
}

void node_listeners_close(struct node_listeners *ports)
{
	size_t i;

	if (!ports)
		return;
	shared_servers_close(ports->shared);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		json_decref(ports->data[i]);
	free(ports);
}
