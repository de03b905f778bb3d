// SPDX-License-Identifier: MIT
#include "engine/wake.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/address.h"
#include "engine/listener.h"

#define HANDSHAKE_LIMIT_MS 1000 /* for the one connection that is moved */

/* The descriptors of one run of wake_probe(); -1: not open. */
struct probe {
	int previous;  /* the listening socket that is closed while a connection is in its queue */
	int successor; /* the socket that the connection is moved to */
	int client;
	int epoll;
};

static int open_client(const struct listener *listener)
{
	int fd = socket(listener->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const void *)&listener->address, listener->length) &&
	    errno != EINPROGRESS) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static uint32_t slot_of_loopback(const struct engine *engine)
{
	const struct sticky_settings *settings = engine_settings(engine);
	struct sticky_key key;

	sticky_key_v4(settings, htonl(INADDR_LOOPBACK), &key);
	return engine_slot_of(engine, sticky_hash_bucket(sticky_key_hash(settings, &key)));
}

static int watch(struct probe *probe)
{
	struct epoll_event event = {.events = EPOLLIN};

	probe->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (probe->epoll < 0)
		return -errno;
	return epoll_ctl(probe->epoll, EPOLL_CTL_ADD, probe->successor, &event) ? -errno : 0;
}

/*
 * Wait until a connection is in the queue. A handshake over loopback takes microseconds, but may be
 * incomplete when connect() returns: on a busy machine ksoftirqd handles its packets later.
 */
static int wait_for_queue(int listening_fd)
{
	struct pollfd poller = {.fd = listening_fd, .events = POLLIN};
	int ready = poll(&poller, 1, HANDSHAKE_LIMIT_MS);

	return ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : 0;
}

/*
 * Queue a connection on one socket, watch the other one, and close the first one. Returns 1 if an
 * event is reported, 0 if none is, or -errno.
 */
static int try_migration(struct engine *engine, uint32_t index, struct listener *listener,
			 struct probe *probe)
{
	uint32_t slot = slot_of_loopback(engine);
	struct epoll_event event;
	int error;

	error = listener_listen(listener, probe->previous);
	if (!error)
		error = engine_put(engine, index, slot, probe->previous);
	if (error)
		return error;
	probe->client = open_client(listener);
	if (probe->client < 0)
		return probe->client;
	error = wait_for_queue(probe->previous);
	if (error)
		return error;

	probe->successor = listener_bind(listener);
	if (probe->successor < 0)
		return probe->successor;
	error = listener_listen(listener, probe->successor);
	if (!error)
		error = engine_put(engine, index, slot, probe->successor);
	if (!error)
		error = watch(probe);
	if (error)
		return error;

	close(probe->previous);
	probe->previous = -1;
	/* When close() returns, the queue has been moved: there is no need to wait. */
	return epoll_wait(probe->epoll, &event, 1, 0);
}

static void close_probe(struct probe *probe)
{
	int fds[] = {probe->epoll, probe->client, probe->previous, probe->successor};
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int wake_probe(struct engine *engine)
{
	struct probe probe = {-1, -1, -1, -1};
	struct listener listener = {.backlog = 8};
	struct sockaddr_in *address = (void *)&listener.address;
	int index, result;

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener.length = sizeof(*address);
	probe.previous = listener_bind_first(&listener);
	if (probe.previous < 0)
		return probe.previous;
	index = engine_add_listener(engine, probe.previous);
	if (index < 0) {
		close_probe(&probe);
		return index;
	}
	result = try_migration(engine, (uint32_t)index, &listener, &probe);
	close_probe(&probe);
	engine_remove_last_listener(engine);
	return result;
}
