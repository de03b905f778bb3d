// SPDX-License-Identifier: MIT
/*
 * A small socket-activation server: the worker that the end-to-end tests and the
 * benchmarks run. It serves every inherited listening socket, tells in each answer who
 * it is, and misbehaves on request. It knows nothing of libsticky, as most workers do.
 *
 * Each connection gets one line,
 *     slot=S pid=P gen=G fd=F peer=ADDRESS
 * as the answer to one line, or as the body of an HTTP response to a request head; then
 * the worker closes first, so that no client runs out of ports. S and G are STICKY_SLOT
 * and STICKY_GENERATION ("-" where unset), F is the listening socket's descriptor. A line
 * that begins with "+" is answered without closing: more lines may follow. "wait=MS" in a
 * request delays the answer.
 *
 * Exit codes: 0 drained after SIGTERM; 1 failed; 2 usage; 3 LISTEN_PID is not ours.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_LISTENER 3 /* sd_listen_fds(3): SD_LISTEN_FDS_START */
#define LISTENERS_MAX  64
#define THREADS_MAX    64
#define EVENTS_MAX     64
#define ACCEPTS_MAX    64    /* in one turn of the loop, so that nobody else starves */
#define HEAD_MAX       16384 /* bytes of a request that are kept */

/* A child that only keeps sockets open ends by itself, should a test forget it. */
#define CHILD_SECONDS 600

enum exit_code { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LISTEN_PID = 3 };

struct loop;

/* What an epoll event points to. */
struct watch {
	void (*handle)(struct loop *loop, struct watch *watch);
	int fd;
};

struct connection {
	struct watch watch; /* first: a watch of handle_connection() is a connection */
	struct watch delay; /* fd -1: the answer is not delayed */
	struct sockaddr_storage peer;
	int listener;
	size_t length;
	char head[HEAD_MAX];
};

struct options {
	bool banner;
	bool notify;
	bool no_accept;
	bool ignore_term;
	bool fork_child;
	bool print_fds;
	bool watchdog;
	unsigned int threads;
	unsigned int accept_pause_ms;
	unsigned int shut_after_ms;
	unsigned int stopping_after_ms;
	unsigned int grow_mib;
	unsigned int notify_delay_ms;
	unsigned int accept_after_ms;
	unsigned int exit_after_ms;
	bool exits;
	int exit_code;
	const char *status;
};

/* One thread: its own epoll over all listening sockets, and the connections it accepted. */
struct loop {
	struct worker *worker;
	pthread_t thread;
	struct watch stop;
	int epoll;
	unsigned int connections;
	bool draining;
};

struct worker {
	struct options options;
	const char *slot;
	const char *generation;
	struct watch listeners[LISTENERS_MAX];
	unsigned int listener_count;
	struct loop loops[THREADS_MAX];
	atomic_uint accepting_loops; /* the last one to stop closes the listening sockets */
	struct watch signals, notify_timer, accept_timer, exit_timer;
	struct watch watchdog_timer, shut_timer, stopping_timer;
};

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "worker: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	exit(EXIT_FAILED);
}

/* ---- What was inherited: --print-fds ----------------------------------------------- */

static void print_json_string(const char *text)
{
	const unsigned char *c;

	putchar('"');
	for (c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
			printf("\\u%04x", *c);
		else
			putchar(*c);
	putchar('"');
}

static void print_descriptor(int fd)
{
	char link[64], target[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		fail("readlink %s", link);
	printf("{\"kind\":\"fd\",\"fd\":%d,\"target\":", fd);
	print_json_string(target);
	printf(",\"cloexec\":%s}\n", fcntl(fd, F_GETFD) & FD_CLOEXEC ? "true" : "false");
}

static void print_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!directory)
		fail("/proc/self/fd");
	while ((entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(directory))
			print_descriptor(fd);
	}
	closedir(directory);
}

/* A mask of /proc/self/status, in which bit 0 is signal 1, as a list of signal numbers. */
static void print_signals(const char *name, unsigned long long mask)
{
	const char *separator = "";
	int number;

	printf("\"%s\":[", name);
	for (number = 1; number <= 64; number++)
		if (mask >> (number - 1) & 1) {
			printf("%s%d", separator, number);
			separator = ",";
		}
	putchar(']');
}

static void print_status_masks(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long mask;
	char line[512], name[16];

	if (!file)
		fail("/proc/self/status");
	printf("{\"kind\":\"masks\"");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%15[A-Za-z]: %llx", name, &mask) != 2)
			continue;
		if (!strcmp(name, "SigBlk") || !strcmp(name, "SigIgn")) {
			putchar(',');
			print_signals(name[3] == 'B' ? "blocked" : "ignored", mask);
		} else if (!strncmp(name, "Cap", 3)) {
			printf(",\"%s\":\"%llx\"", name, mask);
		} else if (!strcmp(name, "NoNewPrivs")) {
			printf(",\"no_new_privs\":%llu", mask);
		}
	}
	printf("}\n");
	fclose(file);
}

static void print_ids(void)
{
	gid_t groups[256];
	int count = getgroups(256, groups), i;

	if (count < 0)
		fail("getgroups");
	printf("{\"kind\":\"ids\",\"uid\":%u,\"euid\":%u,\"gid\":%u,\"egid\":%u,\"groups\":[",
	       getuid(), geteuid(), getgid(), getegid());
	for (i = 0; i < count; i++)
		printf("%s%u", i ? "," : "", groups[i]);
	printf("]}\n");
}

static void print_process(void)
{
	char cwd[PATH_MAX] = "";
	struct rlimit limit;

	if (!getcwd(cwd, sizeof(cwd)) || getrlimit(RLIMIT_NOFILE, &limit))
		fail("cwd or descriptor limit");
	printf("{\"kind\":\"process\",\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,"
	       "\"nofile_soft\":%llu,\"nofile_hard\":%llu,\"cwd\":",
	       getpid(), getppid(), getpgrp(), getsid(0), (unsigned long long)limit.rlim_cur,
	       (unsigned long long)limit.rlim_max);
	print_json_string(cwd);
	printf("}\n");
}

static void print_environment(void)
{
	char **variable;

	for (variable = environ; *variable; variable++) {
		char *equals = strchr(*variable, '=');
		char *name = strndup(*variable, equals ? (size_t)(equals - *variable) : SIZE_MAX);

		if (!name)
			fail("environment");
		printf("{\"kind\":\"env\",\"name\":");
		print_json_string(name);
		printf(",\"value\":");
		print_json_string(equals ? equals + 1 : "");
		printf("}\n");
		free(name);
	}
}

/* One JSON object a line; must come before this program opens anything. */
static void print_inherited(void)
{
	print_descriptors();
	print_status_masks();
	print_ids();
	print_process();
	print_environment();
	fflush(stdout);
}

/* ---- Connections ------------------------------------------------------------------- */

static void watch_add(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event))
		fail("epoll_ctl");
}

static void watch_remove(struct loop *loop, struct watch *watch)
{
	if (epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL))
		fail("epoll_ctl");
}

static const char *peer_text(const struct sockaddr_storage *peer, char text[INET6_ADDRSTRLEN])
{
	const void *address =
		peer->ss_family == AF_INET6
			? (const void *)&((const struct sockaddr_in6 *)peer)->sin6_addr
			: &((const struct sockaddr_in *)peer)->sin_addr;

	if (!inet_ntop(peer->ss_family, address, text, INET6_ADDRSTRLEN))
		return "-"; /* a UNIX socket */
	return text;
}

/* The answer is far smaller than any send buffer: it is sent whole, or the client is gone. */
static void answer(const struct worker *worker, int fd, int listener,
		   const struct sockaddr_storage *peer, bool http)
{
	char address[INET6_ADDRSTRLEN], line[512], response[1024];
	int length;

	length = snprintf(line, sizeof(line), "slot=%s pid=%d gen=%s fd=%d peer=%s\n", worker->slot,
			  getpid(), worker->generation, listener, peer_text(peer, address));
	if (http)
		length = snprintf(response, sizeof(response),
				  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				  "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
				  length, line);
	send(fd, http ? response : line, (size_t)length, MSG_NOSIGNAL);
}

static bool is_http(const struct connection *connection)
{
	return !strncmp(connection->head, "GET ", 4);
}

static bool request_complete(const struct connection *connection)
{
	if (is_http(connection))
		return strstr(connection->head, "\r\n\r\n");
	return strchr(connection->head, '\n');
}

static void start_timer(struct loop *loop, struct watch *timer, unsigned int delay_ms,
			void (*handle)(struct loop *loop, struct watch *watch));
static void connection_close(struct connection *connection);

/* Returns whether the connection is over. */
static bool respond(const struct worker *worker, struct connection *connection)
{
	answer(worker, connection->watch.fd, connection->listener, &connection->peer,
	       is_http(connection));
	connection->length = 0;
	return connection->head[0] != '+';
}

static void handle_delay(struct loop *loop, struct watch *watch)
{
	struct connection *connection =
		(struct connection *)((char *)watch - offsetof(struct connection, delay));

	close(watch->fd);
	watch->fd = -1;
	if (!respond(loop->worker, connection)) {
		watch_add(loop, &connection->watch, EPOLLIN);
		return;
	}
	connection_close(connection);
	loop->connections--;
}

/* "wait=MS" in a request; 0: none. */
static unsigned int wanted_delay(const struct connection *connection)
{
	const char *found = strstr(connection->head, "wait=");

	return found ? (unsigned int)strtoul(found + strlen("wait="), NULL, 10) : 0;
}

/* Read what there is. Returns whether the connection is over: answered, or given up. */
static bool serve(const struct worker *worker, struct connection *connection)
{
	size_t room = sizeof(connection->head) - 1 - connection->length;
	ssize_t got = recv(connection->watch.fd, connection->head + connection->length, room, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0)
		return true;
	connection->length += (size_t)got;
	connection->head[connection->length] = '\0';
	if (!request_complete(connection))
		return connection->length == sizeof(connection->head) - 1;
	if (wanted_delay(connection))
		return false;
	return respond(worker, connection);
}

/* A whole request that wants to wait: nothing is read until its answer. */
static bool begin_delay(struct loop *loop, struct connection *connection)
{
	unsigned int delay_ms = wanted_delay(connection);

	if (!connection->length || !request_complete(connection) || !delay_ms)
		return false;
	start_timer(loop, &connection->delay, delay_ms, handle_delay);
	return true;
}

static void connection_close(struct connection *connection)
{
	close(connection->watch.fd);
	if (connection->delay.fd >= 0)
		close(connection->delay.fd);
	free(connection);
}

static void handle_connection(struct loop *loop, struct watch *watch)
{
	struct connection *connection = (struct connection *)watch;

	if (!serve(loop->worker, connection)) {
		if (begin_delay(loop, connection))
			watch_remove(loop, watch);
		return;
	}
	connection_close(connection);
	loop->connections--;
}

static void connection_open(struct loop *loop, int fd, int listener,
			    const struct sockaddr_storage *peer)
{
	struct connection *connection;

	if (loop->worker->options.banner) {
		answer(loop->worker, fd, listener, peer, false);
		close(fd);
		return;
	}
	connection = malloc(sizeof(*connection));
	if (!connection)
		fail("connection");
	connection->watch = (struct watch){.handle = handle_connection, .fd = fd};
	connection->peer = *peer;
	connection->listener = listener;
	connection->delay.fd = -1;
	connection->length = 0;
	connection->head[0] = '\0';
	if (serve(loop->worker, connection)) { /* the request often came with the connection */
		connection_close(connection);
		return;
	}
	loop->connections++;
	if (!begin_delay(loop, connection))
		watch_add(loop, &connection->watch, EPOLLIN);
}

static void pause_ms(unsigned int ms)
{
	if (ms)
		usleep(ms * 1000);
}

static bool is_nobodys_fault(int error)
{
	/* accept(2): a connection that broke in the queue is reported by the one who accepts it. */
	return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

static void handle_listener(struct loop *loop, struct watch *watch)
{
	unsigned int i;

	/* Events of this turn may be left over from before the sockets were closed. */
	for (i = 0; i < ACCEPTS_MAX && !loop->draining; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t length = sizeof(peer);
		int fd = accept4(watch->fd, (struct sockaddr *)&peer, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			pause_ms(loop->worker->options.accept_pause_ms);
			connection_open(loop, fd, watch->fd, &peer);
			if (loop->worker->options.accept_pause_ms)
				return; /* so that a signal is seen in between */
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (!is_nobodys_fault(errno))
			fail("accept on descriptor %d", watch->fd);
	}
}

/* ---- Start, timers, stop ----------------------------------------------------------- */

static void notify(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(address.sun_path))
		fail("NOTIFY_SOCKET is unset or too long");
	memcpy(address.sun_path, path, length);
	if (address.sun_path[0] == '@') /* an abstract name: sd_notify(3) */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		fail("NOTIFY_SOCKET %s", path);
	close(fd);
}

static void notify_status(const char *status)
{
	char message[1024];

	snprintf(message, sizeof(message), "STATUS=%s", status);
	notify(message);
}

static void start_accepting(struct worker *worker)
{
	unsigned int thread, i;

	for (thread = 0; thread < worker->options.threads; thread++)
		for (i = 0; i < worker->listener_count; i++)
			watch_add(&worker->loops[thread], &worker->listeners[i],
				  EPOLLIN | EPOLLEXCLUSIVE);
}

static void handle_notify_timer(struct loop *loop, struct watch *watch)
{
	watch_remove(loop, watch);
	notify("READY=1");
}

static void handle_accept_timer(struct loop *loop, struct watch *watch)
{
	watch_remove(loop, watch);
	if (!loop->draining)
		start_accepting(loop->worker);
}

/* WATCHDOG=1 at half of what WATCHDOG_USEC allows: sd_watchdog_enabled(3). */
static void handle_watchdog(struct loop *loop, struct watch *watch)
{
	const char *limit_us = getenv("WATCHDOG_USEC");
	unsigned long period_ms = limit_us ? strtoul(limit_us, NULL, 10) / 2000 : 0;

	close(watch->fd);
	notify("WATCHDOG=1");
	start_timer(loop, watch, period_ms ? (unsigned int)period_ms : 1, handle_watchdog);
}

/* What a careless worker does to its own listening sockets: nobody reaches it any more. */
static void handle_shut_timer(struct loop *loop, struct watch *watch)
{
	unsigned int i;

	watch_remove(loop, watch);
	for (i = 0; i < loop->worker->listener_count; i++) {
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->worker->listeners[i].fd, NULL);
		shutdown(loop->worker->listeners[i].fd, SHUT_RD);
	}
}

/* It stops by itself, and says so. */
static void handle_stopping_timer(struct loop *loop, struct watch *watch)
{
	uint64_t one = 1;

	watch_remove(loop, watch);
	notify("STOPPING=1");
	if (write(loop->stop.fd, &one, sizeof(one)) != sizeof(one))
		fail("eventfd");
}

/* No farewell: this is how a worker dies that a bug has killed. */
static void handle_exit_timer(struct loop *loop, struct watch *watch)
{
	(void)watch;
	_exit(loop->worker->options.exit_code);
}

static void start_timer(struct loop *loop, struct watch *timer, unsigned int delay_ms,
			void (*handle)(struct loop *loop, struct watch *watch))
{
	struct itimerspec spec = {
		.it_value.tv_sec = delay_ms / 1000,
		/* Zero would disarm the timer: one nanosecond is at once. */
		.it_value.tv_nsec = delay_ms ? delay_ms % 1000 * 1000000L : 1,
	};

	timer->handle = handle;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd < 0 || timerfd_settime(timer->fd, 0, &spec, NULL))
		fail("timerfd");
	watch_add(loop, timer, EPOLLIN);
}

/*
 * Closing is how a worker stops accepting: the kernel then moves what is queued to the
 * slot's next life. Descriptors are taken out of epoll before: somebody else has
 * duplicates of them, so that closing alone would leave them there for good.
 */
static void stop_accepting(struct loop *loop)
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

static void handle_stop(struct loop *loop, struct watch *watch)
{
	watch_remove(loop, watch);
	loop->draining = true;
	stop_accepting(loop);
}

/* SIGTERM: every thread has the same eventfd, which is never read, in its loop. */
static void handle_signal(struct loop *loop, struct watch *watch)
{
	uint64_t one = 1;

	watch_remove(loop, watch);
	if (write(loop->stop.fd, &one, sizeof(one)) != sizeof(one))
		fail("eventfd");
}

static void *loop_run(void *argument)
{
	struct epoll_event events[EVENTS_MAX];
	struct loop *loop = argument;

	while (!loop->draining || loop->connections) {
		int count = epoll_wait(loop->epoll, events, EVENTS_MAX, -1), i;

		if (count < 0 && errno != EINTR)
			fail("epoll_wait");
		for (i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;

			watch->handle(loop, watch);
		}
	}
	return NULL;
}

static void loop_init(struct loop *loop, struct worker *worker, int stop)
{
	loop->worker = worker;
	loop->stop = (struct watch){.handle = handle_stop, .fd = stop};
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		fail("epoll_create1");
	watch_add(loop, &loop->stop, EPOLLIN);
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

/* A process that execs another one keeps its pid; one that was forked has a new one. */
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

static void take_listeners(struct worker *worker)
{
	unsigned int i;

	check_listen_pid();
	worker->listener_count = environment_number("LISTEN_FDS");
	errno = 0;
	if (worker->listener_count < 1 || worker->listener_count > LISTENERS_MAX)
		fail("LISTEN_FDS is not 1 to %d", LISTENERS_MAX);
	for (i = 0; i < worker->listener_count; i++)
		take_listener(&worker->listeners[i], FIRST_LISTENER + (int)i);
}

/* A descendant that the worker forgot: it has the listening sockets, and never accepts. */
static void fork_child(void)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (child > 0)
		return;
	alarm(CHILD_SECONDS);
	for (;;)
		pause();
}

static void watch_signals(struct worker *worker)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		fail("pthread_sigmask");
	worker->signals = (struct watch){.handle = handle_signal,
					 .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
	if (worker->signals.fd < 0)
		fail("signalfd");
	watch_add(&worker->loops[0], &worker->signals, EPOLLIN);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
}

static void set_up_loops(struct worker *worker)
{
	int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unsigned int i;

	if (stop < 0)
		fail("eventfd");
	for (i = 0; i < worker->options.threads; i++)
		loop_init(&worker->loops[i], worker, stop);
	atomic_init(&worker->accepting_loops, worker->options.threads);
}

/* Everything that the options ask for, in the order in which a real server does it. */
static void start(struct worker *worker)
{
	const struct options *options = &worker->options;
	struct loop *loop = &worker->loops[0];

	if (options->status)
		notify_status(options->status);
	if (options->accept_after_ms)
		start_timer(loop, &worker->accept_timer, options->accept_after_ms,
			    handle_accept_timer);
	else if (!options->no_accept)
		start_accepting(worker);
	if (options->exits)
		start_timer(loop, &worker->exit_timer, options->exit_after_ms, handle_exit_timer);
	if (options->shut_after_ms)
		start_timer(loop, &worker->shut_timer, options->shut_after_ms, handle_shut_timer);
	if (options->stopping_after_ms)
		start_timer(loop, &worker->stopping_timer, options->stopping_after_ms,
			    handle_stopping_timer);
	if (options->notify && options->notify_delay_ms)
		start_timer(loop, &worker->notify_timer, options->notify_delay_ms,
			    handle_notify_timer);
	else if (options->notify)
		notify("READY=1");
	if (options->watchdog)
		start_timer(loop, &worker->watchdog_timer, 1, handle_watchdog);
}

/* Memory that counts as used, until the end. */
static void grow(unsigned int mib)
{
	if (mib && mmap(NULL, (size_t)mib << 20, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		fail("memory");
}

static void run(struct worker *worker)
{
	unsigned int i;

	for (i = 1; i < worker->options.threads; i++)
		if (pthread_create(&worker->loops[i].thread, NULL, loop_run, &worker->loops[i]))
			fail("pthread_create");
	loop_run(&worker->loops[0]);
	for (i = 1; i < worker->options.threads; i++)
		pthread_join(worker->loops[i].thread, NULL);
}

/* ---- Options ----------------------------------------------------------------------- */

static void usage(FILE *out, int code) __attribute__((noreturn));

static void usage(FILE *out, int code)
{
	fputs("usage: worker [options]      (LISTEN_FDS, LISTEN_PID, NOTIFY_SOCKET, STICKY_SLOT,\n"
	      "                              STICKY_GENERATION in the environment)\n"
	      "  --banner            answer at accept, without reading\n"
	      "  --threads N         so many threads, each accepting from every socket (1)\n"
	      "  --notify            send READY=1 once set up\n"
	      "  --notify-delay MS   the same, but so much later\n"
	      "  --status TEXT       send STATUS=TEXT once set up, before READY=1\n"
	      "  --no-accept         never accept\n"
	      "  --accept-after MS   accept only after this\n"
	      "  --exit-after MS     die after this, without closing or draining anything\n"
	      "  --exit-code N       with this status (0)\n"
	      "  --stdout TEXT       print TEXT at start; may be repeated\n"
	      "  --stderr TEXT       the same on stderr\n"
	      "  --print-fds         print what was inherited, one JSON object a line\n"
	      "  --watchdog          send WATCHDOG=1 as often as WATCHDOG_USEC wants it\n"
	      "  --accept-pause MS   spend this time on every connection, one after the other\n"
	      "  --shut-after MS     shut the own listening sockets down after this\n"
	      "  --stopping-after MS say STOPPING=1 after this, and stop as by SIGTERM\n"
	      "  --grow MIB          use so much memory\n"
	      "  --fork-child        fork a child that keeps the sockets and does nothing\n"
	      "  --term-drain        SIGTERM: close the listening sockets, finish the open\n"
	      "                      connections, exit 0 (this is so without the option too)\n"
	      "  --ignore-term       ignore SIGTERM\n",
	      out);
	exit(code);
}

static unsigned int option_number(const char *text, unsigned long limit)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || number > limit)
		usage(stderr, EXIT_USAGE);
	return (unsigned int)number;
}

enum option_id {
	OPTION_BANNER = 1,
	OPTION_NOTIFY,
	OPTION_NOTIFY_DELAY,
	OPTION_STATUS,
	OPTION_NO_ACCEPT,
	OPTION_ACCEPT_AFTER,
	OPTION_EXIT_AFTER,
	OPTION_EXIT_CODE,
	OPTION_STDERR,
	OPTION_STDOUT,
	OPTION_IGNORE_TERM,
	OPTION_TERM_DRAIN,
	OPTION_FORK_CHILD,
	OPTION_PRINT_FDS,
	OPTION_THREADS,
	OPTION_WATCHDOG,
	OPTION_ACCEPT_PAUSE,
	OPTION_SHUT_AFTER,
	OPTION_STOPPING_AFTER,
	OPTION_GROW,
	OPTION_HELP
};

static const struct option long_options[] = {
	{"banner", no_argument, NULL, OPTION_BANNER},
	{"notify", no_argument, NULL, OPTION_NOTIFY},
	{"notify-delay", required_argument, NULL, OPTION_NOTIFY_DELAY},
	{"status", required_argument, NULL, OPTION_STATUS},
	{"no-accept", no_argument, NULL, OPTION_NO_ACCEPT},
	{"accept-after", required_argument, NULL, OPTION_ACCEPT_AFTER},
	{"exit-after", required_argument, NULL, OPTION_EXIT_AFTER},
	{"exit-code", required_argument, NULL, OPTION_EXIT_CODE},
	{"stderr", required_argument, NULL, OPTION_STDERR},
	{"stdout", required_argument, NULL, OPTION_STDOUT},
	{"ignore-term", no_argument, NULL, OPTION_IGNORE_TERM},
	{"term-drain", no_argument, NULL, OPTION_TERM_DRAIN},
	{"fork-child", no_argument, NULL, OPTION_FORK_CHILD},
	{"print-fds", no_argument, NULL, OPTION_PRINT_FDS},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"watchdog", no_argument, NULL, OPTION_WATCHDOG},
	{"accept-pause", required_argument, NULL, OPTION_ACCEPT_PAUSE},
	{"shut-after", required_argument, NULL, OPTION_SHUT_AFTER},
	{"stopping-after", required_argument, NULL, OPTION_STOPPING_AFTER},
	{"grow", required_argument, NULL, OPTION_GROW},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static void take_option(struct options *options, int id, const char *value)
{
	switch (id) {
	case OPTION_BANNER:
		options->banner = true;
		break;
	case OPTION_NOTIFY_DELAY:
		options->notify_delay_ms = option_number(value, INT_MAX);
		options->notify = true;
		break;
	case OPTION_NOTIFY:
		options->notify = true;
		break;
	case OPTION_STATUS:
		options->status = value;
		break;
	case OPTION_NO_ACCEPT:
		options->no_accept = true;
		break;
	case OPTION_ACCEPT_AFTER:
		options->accept_after_ms = option_number(value, INT_MAX);
		break;
	case OPTION_EXIT_AFTER:
		options->exit_after_ms = option_number(value, INT_MAX);
		options->exits = true;
		break;
	case OPTION_EXIT_CODE:
		options->exit_code = (int)option_number(value, 255);
		break;
	case OPTION_STDERR:
		fprintf(stderr, "%s\n", value);
		break;
	case OPTION_STDOUT:
		printf("%s\n", value);
		fflush(stdout);
		break;
	case OPTION_IGNORE_TERM:
		options->ignore_term = true;
		break;
	case OPTION_TERM_DRAIN:
		options->ignore_term = false;
		break;
	case OPTION_FORK_CHILD:
		options->fork_child = true;
		break;
	case OPTION_PRINT_FDS:
		options->print_fds = true;
		break;
	case OPTION_THREADS:
		options->threads = option_number(value, THREADS_MAX);
		break;
	case OPTION_WATCHDOG:
		options->watchdog = true;
		break;
	case OPTION_ACCEPT_PAUSE:
		options->accept_pause_ms = option_number(value, 10000);
		break;
	case OPTION_SHUT_AFTER:
		options->shut_after_ms = option_number(value, INT_MAX);
		break;
	case OPTION_STOPPING_AFTER:
		options->stopping_after_ms = option_number(value, INT_MAX);
		break;
	case OPTION_GROW:
		options->grow_mib = option_number(value, 4096);
		break;
	case OPTION_HELP:
		usage(stdout, 0);
	default:
		usage(stderr, EXIT_USAGE);
	}
}

static void parse_options(int argc, char **argv, struct options *options)
{
	int id;

	options->threads = 1;
	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take_option(options, id, optarg);
	if (optind != argc || options->threads < 1)
		usage(stderr, EXIT_USAGE);
}

static const char *environment_text(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : "-";
}

int main(int argc, char **argv)
{
	static struct worker worker;

	parse_options(argc, argv, &worker.options);
	if (worker.options.print_fds)
		print_inherited();
	worker.slot = environment_text("STICKY_SLOT");
	worker.generation = environment_text("STICKY_GENERATION");
	take_listeners(&worker);
	if (worker.options.ignore_term)
		signal(SIGTERM, SIG_IGN);
	if (worker.options.fork_child)
		fork_child();
	raise_descriptor_limit();
	grow(worker.options.grow_mib);
	set_up_loops(&worker);
	if (!worker.options.ignore_term)
		watch_signals(&worker);
	start(&worker);
	run(&worker);
	return 0;
}
