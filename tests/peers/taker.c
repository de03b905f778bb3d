// SPDX-License-Identifier: MIT
/*
 * A worker that uses the worker API of libsticky. It accepts passed connections and those of its
 * listening sockets. A request is the head of an HTTP request, or a line of another protocol. The
 * worker answers each request, in the body of an HTTP response or as a line:
 *
 *     slot=1 gen=2 pid=34 client=203.0.113.9 peer=127.0.0.1:5000 bytes=57 sum=1234abcd nth=8
 *
 * After an empty line it closes the connection, unless --stay is given. `bytes` and `sum` (FNV-1a)
 * are those of the request that it read. They show that no byte was lost or added. `nth` is the
 * number of connections that it had accepted when it accepted this one, from 1 on. It shows the
 * order in which they came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "sticky.h"

#define BYTES_MAX 65536

struct options {
	int ready_delay_ms;
	int accept_pause_ms;
	int accept_max; /* -1: no limit */
	bool no_accept;
	bool stay;	 /* an empty line does not close the connection */
	bool quiet_stop; /* at SIGTERM: exit at once, without giving connections back */
};

struct client {
	int fd;
	int number; /* number of connections that had been accepted by then, with this one */
	struct sockaddr_storage address;
	size_t length;
	char bytes[BYTES_MAX];
};

static struct sticky_process *process;
static struct options options = {.accept_max = -1};
static int poll_fd;
static int signals;
static int open_count;
static int accepted_count;
static bool stopping;

static void die(const char *what, int error)
{
	fprintf(stderr, "taker: %s: %s\n", what, strerror(error));
	exit(1);
}

static void pause_ms(int ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static void format(const struct sockaddr_storage *address, bool with_port, char text[96])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	bool is_v4 = address->ss_family == AF_INET;
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(address->ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, host,
		  sizeof(host));
	if (with_port)
		snprintf(text, 96, "%s:%u", host, ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
	else
		snprintf(text, 96, "%s", host);
}

static uint32_t sum_of(const char *bytes, size_t length)
{
	uint32_t sum = 2166136261u;

	while (length--)
		sum = (sum ^ (unsigned char)*bytes++) * 16777619u;
	return sum;
}

static void end(struct client *client)
{
	/*
	 * The descriptor is removed from epoll before it is closed: the controller may not have
	 * closed its duplicate yet (see sticky.h).
	 */
	epoll_ctl(poll_fd, EPOLL_CTL_DEL, client->fd, NULL);
	close(client->fd);
	free(client);
	open_count--;
}

static void send_all(const struct client *client, const char *text, size_t length)
{
	if (send(client->fd, text, length, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		fprintf(stderr, "taker: send: %s\n", strerror(errno));
}

static void answer(struct client *client, size_t length, bool is_http)
{
	struct sockaddr_storage peer = {0};
	socklen_t peer_length = sizeof(peer);
	char body[512], text[1024], address[96], peer_text[96];
	int size;

	getpeername(client->fd, (void *)&peer, &peer_length);
	format(&client->address, false, address);
	format(&peer, true, peer_text);
	size = snprintf(body, sizeof(body),
			"slot=%u gen=%llu pid=%d client=%s peer=%s bytes=%zu sum=%08x nth=%d\n",
			sticky_process_slot(process),
			(unsigned long long)sticky_process_generation(process), getpid(), address,
			peer_text, length, sum_of(client->bytes, length), client->number);
	if (is_http)
		size = snprintf(text, sizeof(text),
				"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				"Content-Length: %d\r\n\r\n%s",
				size, body);
	else
		memcpy(text, body, (size_t)size);
	send_all(client, text, (size_t)size);
}

/*
 * Returns the length of the request at the beginning of the bytes, or 0 if it is not complete yet.
 */
static size_t find_request(const struct client *client, bool *is_http)
{
	const char *end = memmem(client->bytes, client->length, "\r\n\r\n", 4);
	const char *line = memchr(client->bytes, '\n', client->length);
	const char *version =
		line ? memmem(client->bytes, (size_t)(line - client->bytes), " HTTP/", 6) : NULL;

	*is_http = version != NULL;
	if (version)
		return end ? (size_t)(end - client->bytes) + 4 : 0;
	return line ? (size_t)(line - client->bytes) + 1 : 0;
}

static bool asks_to_close(const struct client *client, size_t length)
{
	return memmem(client->bytes, length, "onnection: close", 16) != NULL ||
	       memmem(client->bytes, length, "HTTP/1.0", 8) != NULL;
}

static void serve(struct client *client)
{
	ssize_t length = recv(client->fd, client->bytes + client->length,
			      BYTES_MAX - client->length, MSG_DONTWAIT);
	size_t request;
	bool is_http;

	if (length <= 0) {
		if (length == 0 || errno != EAGAIN)
			end(client);
		return;
	}
	client->length += (size_t)length;
	while ((request = find_request(client, &is_http))) {
		bool closes = is_http ? asks_to_close(client, request)
				      : !options.stay && (request == 1 || client->bytes[0] == '\r');

		answer(client, request, is_http);
		memmove(client->bytes, client->bytes + request, client->length - request);
		client->length -= request;
		if (closes || (stopping && is_http)) {
			end(client);
			return;
		}
	}
}

static void begin(int fd, const struct sockaddr_storage *address)
{
	struct client *client = malloc(sizeof(*client));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	if (!client)
		die("malloc", ENOMEM);
	client->fd = fd;
	client->number = accepted_count;
	client->address = *address;
	client->length = 0;
	open_count++;
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl", errno);
}

static void accept_some(void)
{
	struct sockaddr_storage address;
	int fd;

	while (options.accept_max < 0 || accepted_count < options.accept_max) {
		fd = sticky_process_accept(process, &address, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -EMFILE) {
			pause_ms(5);
			return;
		}
		if (fd < 0)
			return;
		accepted_count++;
		if (options.accept_pause_ms)
			pause_ms(options.accept_pause_ms);
		begin(fd, &address);
	}
}

static void stop(void)
{
	int error;

	if (options.quiet_stop)
		/*
		 * Nothing is freed before the exit: LeakSanitizer must not report memory that is
		 * still in use.
		 */
		_exit(0);
	error = sticky_process_stopping(process);
	if (error)
		die("stopping", -error);
	stopping = true;
}

static void watch(int fd, void *data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl", errno);
}

static void run(void)
{
	struct epoll_event events[64];
	int ready, i;

	while (!stopping || open_count) {
		ready = epoll_wait(poll_fd, events, 64, -1);
		for (i = 0; i < ready; i++) {
			if (events[i].data.ptr == process)
				accept_some();
			else if (events[i].data.ptr == &signals)
				stop();
			else
				serve(events[i].data.ptr);
			/*
			 * The remaining events of this call are dropped: epoll reports them again.
			 */
			if (events[i].data.ptr == &signals)
				break;
		}
		if (stopping)
			epoll_ctl(poll_fd, EPOLL_CTL_DEL, signals, NULL);
	}
}

static void parse(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"ready-delay", required_argument, NULL, 'r'},
		{"accept-pause", required_argument, NULL, 'p'},
		{"accept-max", required_argument, NULL, 'm'},
		{"no-accept", no_argument, NULL, 'n'},
		{"stay", no_argument, NULL, 's'},
		{"quiet-stop", no_argument, NULL, 'q'},
		{0},
	};
	int id;

	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (id) {
		case 'r':
			options.ready_delay_ms = atoi(optarg);
			break;
		case 'p':
			options.accept_pause_ms = atoi(optarg);
			break;
		case 'm':
			options.accept_max = atoi(optarg);
			break;
		case 'n':
			options.no_accept = true;
			break;
		case 's':
			options.stay = true;
			break;
		case 'q':
			options.quiet_stop = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	sigset_t terms;
	int error;

	parse(argc, argv);
	sigemptyset(&terms);
	sigaddset(&terms, SIGTERM);
	sigprocmask(SIG_BLOCK, &terms, NULL);
	signals = signalfd(-1, &terms, SFD_CLOEXEC);
	error = sticky_process_open(&process);
	if (error)
		die("sticky_process_open", -error);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!options.no_accept)
		watch(sticky_process_fd(process), process);
	watch(signals, &signals);
	pause_ms(options.ready_delay_ms);
	error = sticky_process_ready(process);
	if (error)
		die("sticky_process_ready", -error);
	run();
	sticky_process_close(process);
	return 0;
}
