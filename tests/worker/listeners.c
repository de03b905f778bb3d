// SPDX-License-Identifier: MIT
#include "listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bound.h"
#include "connection.h"
#include "failure.h"

#define FIRST_LISTENER 3  /* sd_listen_fds(3): SD_LISTEN_FDS_START */
#define ACCEPTS_MAX    64 /* in one turn of the loop; connections are served in between */

static void pause_ms(unsigned int ms)
{
	if (ms)
		usleep(ms * 1000);
}

static bool is_of_the_connection(int error)
{
	/* A connection that broke in the queue is reported by accept(2) as an error. */
	return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

static void handle_listener(struct loop *loop, struct watch *watch)
{
	unsigned int i;

	/* Some events of this turn may have been reported before the sockets were closed. */
	for (i = 0; i < ACCEPTS_MAX && !loop->draining; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t length = sizeof(peer);
		int fd = accept4(watch->fd, (struct sockaddr *)&peer, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			pause_ms(loop->worker->options.accept_pause_ms);
			connection_open(loop, fd, watch->fd, &peer);
			if (loop->worker->options.accept_pause_ms)
				return; /* signals are handled in between */
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (!is_of_the_connection(errno))
			fail("accept on descriptor %d", watch->fd);
	}
}

static unsigned int environment_number(const char *name)
{
	const char *text = getenv(name);
	unsigned long number;
	char *end;

	if (!text)
		return 0;
	number = strtoul(text, &end, 10);
	return end == text || *end || number > INT_MAX ? 0 : (unsigned int)number;
}

/*
 * Exit if LISTEN_PID is not this process. A process keeps its pid when it executes another program,
 * but a forked child has a new one.
 */
static void check_listen_pid(void)
{
	const char *text = getenv("LISTEN_PID");

	if (environment_number("LISTEN_PID") == (unsigned int)getpid())
		return;
	fprintf(stderr, "worker: LISTEN_PID is %s, not %d\n", text ? text : "unset", getpid());
	exit(EXIT_LISTEN_PID);
}

static void take_listener(struct watch *listener, int fd)
{
	int listening = 0, flags = fcntl(fd, F_GETFL);
	socklen_t length = sizeof(listening);

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length))
		fail("inherited descriptor %d", fd);
	errno = 0;
	if (!listening)
		fail("inherited descriptor %d is not listening", fd);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		fail("inherited descriptor %d", fd);
	*listener = (struct watch){.handle = handle_listener, .fd = fd};
}

static void open_bound(struct worker *worker)
{
	unsigned int i;

	worker->listener_count = worker->options.bind_count;
	for (i = 0; i < worker->listener_count; i++)
		worker->listeners[i] = (struct watch){.handle = handle_listener,
						      .fd = bound_open(worker->options.binds[i])};
}

void listeners_take(struct worker *worker)
{
	unsigned int i;

	if (worker->options.bind_count) {
		open_bound(worker);
		return;
	}
	check_listen_pid();
	worker->listener_count = environment_number("LISTEN_FDS");
	errno = 0;
	if (worker->listener_count < 1 || worker->listener_count > LISTENERS_MAX)
		fail("LISTEN_FDS is not 1 to %d", LISTENERS_MAX);
	for (i = 0; i < worker->listener_count; i++)
		take_listener(&worker->listeners[i], FIRST_LISTENER + (int)i);
}

void listeners_accept(struct worker *worker)
{
	unsigned int thread, i;

	for (thread = 0; thread < worker->options.threads; thread++)
		for (i = 0; i < worker->listener_count; i++)
			loop_watch(&worker->loops[thread], &worker->listeners[i],
				   EPOLLIN | EPOLLEXCLUSIVE);
}

void listeners_close(struct loop *loop)
{
	struct worker *worker = loop->worker;
	unsigned int i;

	for (i = 0; i < worker->listener_count; i++)
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, worker->listeners[i].fd, NULL);
	if (atomic_fetch_sub(&worker->accepting_loops, 1) > 1)
		return;
	for (i = 0; i < worker->listener_count; i++)
		close(worker->listeners[i].fd);
}
