// SPDX-License-Identifier: MIT
/*
 * The C worker of the benchmarks: the same server for all ways that bring it connections.
 *
 *     worker plain PORT WORKERS      processes with a plain SO_REUSEPORT socket each
 *     worker backends PORT WORKERS   processes with a port each, from PORT on, for a proxy
 *     worker threads PORT WORKERS    threads of one process, steered by libsticky
 *     worker process                 under stickyctl: its sockets, and passed connections
 *
 * It listens on 127.0.0.1, reads a request, a line or a head of HTTP/1.1, answers `slot=N gen=N`,
 * and closes. At SIGTERM, under stickyctl it finishes open connections, else it ends at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/arguments.h"
#include "sticky.h"

#define WORKERS_MAX  64
#define REQUEST_MAX  1024
#define EVENTS_MAX   64
#define ACCEPT_BURST 16 /* connections accepted in one turn, so that open ones are served, too */
#define BACKLOG	     4096

enum { FAILED = 1, USAGE = 2 };

/* One thread of one worker. */
struct loop {
	int epoll;
	int listening;			/* -1: use the sockets of `process` */
	struct sticky_process *process; /* NULL: none */
	int signals;			/* a signalfd; -1: no signal is waited for */
	uint32_t slot;
	uint64_t generation;
	uint32_t open;
	bool is_stopping;
};

struct client {
	int fd;
	size_t length;
	char request[REQUEST_MAX];
};

static void die(const char *what, int error) __attribute__((noreturn));

static void die(const char *what, int error)
{
	fprintf(stderr, "worker: %s: %s\n", what, strerror(error));
	exit(FAILED);
}

/* ---- A connection -------------------------------------------------------------------------- */

static bool is_whole(const char *request, size_t length)
{
	if (length && memchr(request, '\n', length) && memcmp(request, "GET ", 4) != 0)
		return true;
	return memmem(request, length, "\r\n\r\n", 4) != NULL;
}

static void answer(const struct loop *loop, const struct client *client)
{
	char body[64], text[256];
	int size = snprintf(body, sizeof(body), "slot=%u gen=%llu\n", loop->slot,
			    (unsigned long long)loop->generation);

	if (memcmp(client->request, "GET ", 4) == 0)
		size = snprintf(text, sizeof(text),
				"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				"Content-Length: %d\r\nConnection: close\r\n\r\n%s",
				size, body);
	else
		memcpy(text, body, (size_t)size);
	/* The client may be gone: this is no error. */
	if (send(client->fd, text, (size_t)size, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		die("send", errno);
}

/* Read more of the request, and answer a whole one. Returns true if the connection is over. */
static bool serve(const struct loop *loop, struct client *client)
{
	ssize_t got =
		recv(client->fd, client->request + client->length, REQUEST_MAX - client->length, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0)
		return true;
	client->length += (size_t)got;
	if (!is_whole(client->request, client->length))
		return client->length == REQUEST_MAX;
	answer(loop, client);
	return true;
}

/* Serve a new connection at once: a request that has already arrived needs no turn of the loop. */
static void begin(struct loop *loop, int fd)
{
	struct client first = {.fd = fd}, *client;
	struct epoll_event event = {.events = EPOLLIN};

	if (serve(loop, &first)) {
		close(fd);
		return;
	}
	client = malloc(sizeof(*client));
	if (!client)
		die("malloc", ENOMEM);
	*client = first;
	event.data.ptr = client;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl", errno);
	loop->open++;
}

static void go_on(struct loop *loop, struct client *client)
{
	if (!serve(loop, client))
		return;
	/* The descriptor is removed before it is closed, as sticky_process_accept() demands. */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	close(client->fd);
	free(client);
	loop->open--;
}

static int accept_one(const struct loop *loop)
{
	int flags = SOCK_CLOEXEC | SOCK_NONBLOCK, fd;

	if (loop->process)
		return sticky_process_accept(loop->process, NULL, flags);
	fd = accept4(loop->listening, NULL, NULL, flags);
	return fd < 0 ? -errno : fd;
}

static void accept_some(struct loop *loop)
{
	int count;

	for (count = 0; count < ACCEPT_BURST; count++) {
		int fd = accept_one(loop);

		/*
		 * The connection may be gone before it was accepted. Other errors: none waits, or
		 * there is no room for now.
		 */
		if (fd == -ECONNABORTED)
			continue;
		if (fd < 0)
			return;
		begin(loop, fd);
	}
}

/* ---- A worker -------------------------------------------------------------------------------- */

static void watch(const struct loop *loop, int fd, void *data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl", errno);
}

static void stop(struct loop *loop)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->signals, NULL);
	sticky_process_stopping(loop->process);
	loop->is_stopping = true;
}

static void handle(struct loop *loop, void *data)
{
	if (data == &loop->listening)
		accept_some(loop);
	else if (data == &loop->signals)
		stop(loop);
	else
		go_on(loop, data);
}

static void run(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		die("epoll_create1", errno);
	watch(loop, loop->process ? sticky_process_fd(loop->process) : loop->listening,
	      &loop->listening);
	if (loop->signals >= 0)
		watch(loop, loop->signals, &loop->signals);
	while (!loop->is_stopping || loop->open) {
		int count = epoll_wait(loop->epoll, events, EVENTS_MAX, -1), i;

		for (i = 0; i < count; i++)
			handle(loop, events[i].data.ptr);
	}
	close(loop->epoll);
}

/* ---- Plain sockets ------------------------------------------------------------------------- */

static int listen_plain(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    bind(fd, (const void *)&address, sizeof(address)) || listen(fd, BACKLOG))
		die("listening", errno);
	return fd;
}

static void run_plain(uint16_t port, uint32_t slot)
{
	struct loop loop = {.slot = slot, .signals = -1, .listening = listen_plain(port)};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run(&loop);
}

static int plain(uint16_t port, uint32_t workers, uint16_t step)
{
	uint32_t slot;

	for (slot = 0; slot < workers; slot++) {
		pid_t child = fork();

		if (child < 0)
			die("fork", errno);
		if (!child)
			run_plain((uint16_t)(port + slot * step), slot);
	}
	/* No worker ends by itself. If one ends, it has failed, and printed an error. */
	wait(NULL);
	return FAILED;
}

/* ---- Threads -------------------------------------------------------------------------------- */

static void *run_thread(void *data)
{
	struct loop *loop = data;

	run(loop);
	return NULL;
}

static void open_thread(struct sticky_group *group, struct loop *loop, uint32_t slot)
{
	struct sticky_worker *worker;
	int error = sticky_worker_open(group, slot, &worker);

	if (error)
		die("sticky_worker_open", -error);
	loop->slot = slot;
	loop->signals = -1;
	loop->listening = sticky_worker_fd(worker, 0);
	fcntl(loop->listening, F_SETFL, fcntl(loop->listening, F_GETFL) | O_NONBLOCK);
	error = sticky_worker_ready(worker);
	if (error)
		die("sticky_worker_ready", -error);
}

static int threads(uint16_t port, uint32_t workers)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = workers};
	static struct loop loops[WORKERS_MAX];
	pthread_t ids[WORKERS_MAX];
	struct sticky_group *group;
	char address[32];
	uint32_t slot;
	int error = sticky_group_open(&options, &group);

	if (error)
		die("sticky_group_open", -error);
	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	error = sticky_group_listen(group, address);
	if (error < 0)
		die(address, -error);
	for (slot = 0; slot < workers; slot++) {
		open_thread(group, &loops[slot], slot);
		error = pthread_create(&ids[slot], NULL, run_thread, &loops[slot]);
		if (error)
			die("pthread_create", error);
	}
	for (slot = 0; slot < workers; slot++)
		pthread_join(ids[slot], NULL);
	sticky_group_close(group);
	return 0;
}

/* ---- Under stickyctl ------------------------------------------------------------------------ */

static int under_stickyctl(void)
{
	struct loop loop = {.listening = -1};
	sigset_t signals;
	int error = sticky_process_open(&loop.process);

	if (error)
		die("sticky_process_open", -error);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	loop.signals = signalfd(-1, &signals, SFD_CLOEXEC);
	if (loop.signals < 0)
		die("signalfd", errno);
	loop.slot = sticky_process_slot(loop.process);
	loop.generation = sticky_process_generation(loop.process);
	error = sticky_process_ready(loop.process);
	if (error)
		die("sticky_process_ready", -error);
	run(&loop);
	sticky_process_close(loop.process);
	return 0;
}

static int usage(void)
{
	fputs("usage: worker plain PORT WORKERS | backends PORT WORKERS | threads PORT WORKERS |\n"
	      "       worker process\n",
	      stderr);
	return USAGE;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	uint32_t workers;
	uint16_t port;

	if (argc == 2 && !strcmp(mode, "process"))
		return under_stickyctl();
	if (argc != 4)
		return usage();
	port = (uint16_t)arguments_number("worker", argv[2], 1, UINT16_MAX);
	workers = arguments_number("worker", argv[3], 1, WORKERS_MAX);
	if (!strcmp(mode, "plain"))
		return plain(port, workers, 0);
	if (!strcmp(mode, "backends"))
		return plain(port, workers, 1);
	return !strcmp(mode, "threads") ? threads(port, workers) : usage();
}
