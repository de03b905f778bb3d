// SPDX-License-Identifier: MIT
#include "bind/bind_listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bind/bind_caller.h"
#include "common/log.h"
#include "rights/privilege.h"
#include "listen/address_wider.h"
#include "listen/listeners.h"

int bind_listeners_read(int fd, struct bind_address *ret_address)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);

	if (fd < 0 || getsockname(fd, (void *)&name, &length))
		return fd < 0 ? fd : -errno;
	return bind_address_read(&name, length, bind_is_v6(fd), bind_is_only_v6(fd), ret_address);
}

/*
 * Read the addresses of new listeners from the sockets of one worker: every worker has a socket for
 * each listener.
 */
static void learn(struct bind_listeners *listeners, const struct sticky_worker *sockets)
{
	uint32_t count = sticky_group_listener_count(listeners->options.group);

	while (sockets && listeners->count < count &&
	       !bind_listeners_read(sticky_worker_fd(sockets, listeners->count),
				    &listeners->addresses[listeners->count]))
		listeners->count++;
}

/* May a port become a listener's? Only the first port is steered, on each of its addresses. */
static bool may_add(const struct bind_listeners *listeners, const struct sticky_worker *sockets,
		    uint16_t port)
{
	return sockets && !listeners->options.is_named &&
	       (!listeners->count || listeners->addresses[0].port == port);
}

/* Add an address as a listener. It is bound with the worker's rights: see may_bind_any_port. */
static int add(struct bind_listeners *listeners, const struct bind_address *asked)
{
	char text[BIND_ADDRESS_TEXT_SIZE];
	struct error_text error;
	unsigned int previous;
	int listener;

	bind_address_format(asked, text);
	previous = privilege_raise(listeners->options.may_bind_any_port ? PRIVILEGE_NET_BIND_SERVICE
									: 0);
	listener = listen_on(listeners->options.group, text, &error);
	privilege_restore(previous);
	if (listener < 0) {
		error_text_join_lines(&error);
		report(STICKY_LOG_ERROR, "listen_failed", "why=\"%s\"", error.text);
		return listener;
	}
	listeners->options.added(listeners->options.context);
	return listener;
}

int bind_listeners_find(struct bind_listeners *listeners, const struct sticky_worker *sockets,
			const struct bind_address *asked, uint32_t bound)
{
	int found;

	/* Port 0 means any free port. Mostly it is for the outgoing connections of a client. */
	if (!asked->port)
		return -ENOENT;
	learn(listeners, sockets);
	found = bind_address_find(asked, listeners->addresses, listeners->count, bound);
	if (found < 0 && may_add(listeners, sockets, asked->port)) {
		found = add(listeners, asked);
		learn(listeners, sockets);
		return found;
	}
	return found < 0 ? -ENOENT : found;
}

void bind_listeners_say_wider(struct bind_listeners *listeners, const struct bind_address *asked,
			      uint32_t listener)
{
	char text[BIND_ADDRESS_TEXT_SIZE], listens[STICKY_ADDRESS_TEXT_SIZE];

	if (listeners->wider & 1u << listener || bind_address_is_every(asked) ||
	    bind_address_compare(asked, &listeners->addresses[listener]) != BIND_OVERLAP_NARROWER)
		return;
	listeners->wider |= 1u << listener;
	bind_address_format(asked, text);
	sticky_group_listener_address(listeners->options.group, listener, sizeof(listens), listens);
	address_wider_report(text, listens);
}

uint32_t bind_listeners_all(const struct bind_listeners *listeners)
{
	_Static_assert(STICKY_LISTENERS_LIMIT < 32, "a bit each");

	return (1u << sticky_group_listener_count(listeners->options.group)) - 1;
}

void bind_listeners_missing(const struct bind_listeners *listeners, uint32_t set, size_t size,
			    char *ret_text)
{
	uint32_t count = sticky_group_listener_count(listeners->options.group), i;
	char text[STICKY_ADDRESS_TEXT_SIZE];
	size_t length = 0;

	ret_text[0] = '\0';
	for (i = 0; i < count && length < size; i++) {
		if (set & 1u << i)
			continue;
		sticky_group_listener_address(listeners->options.group, i, sizeof(text), text);
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s",
					   length ? ", " : "", text);
	}
}
