// SPDX-License-Identifier: MIT
/* The connections of --admin are bounded in number and in time. Streams have no time limit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/admin_clients.h"
#include "api/api_stream.h"
#include "api/open_answer.h"
#include "api/http_accept.h"
#include "common/clock.h"

#define CLIENTS	    3
#define PATIENCE_MS 300
#define DEADLINE_MS 10000
#define NUMBERS	    8 /* more than the free descriptor numbers below the highest one in use */

struct server {
	struct event_base *base;
	struct evhttp *http;
	struct admin_clients *clients;
	struct sockaddr_un address;
	socklen_t length;
};

static void on_stream_gone(struct evhttp_connection *connection, void *request)
{
	(void)connection;
	api_forget(request);
}

static void on_request(struct evhttp_request *request, void *context)
{
	struct server *server = context;

	if (strcmp(evhttp_request_get_uri(request), "/stream")) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Connection",
				  "close");
		evhttp_send_reply(request, HTTP_OK, NULL, NULL);
		return;
	}
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_stream_gone,
				      request);
	admin_clients_keep(server->clients, evhttp_request_get_connection(request));
	evhttp_send_reply_start(request, HTTP_OK, NULL);
}

/* A server at an address that the kernel chooses: see "autobind" in unix(7). */
static void server_open(struct server *server, uint32_t clients, uint32_t patience_ms)
{
	const struct admin_limits limits = {.clients = clients, .patience_ms = patience_ms};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*server = (struct server){.address.sun_family = AF_UNIX, .length = sizeof(server->address)};
	assert_int_equal(bind(fd, (void *)&server->address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(fd, (void *)&server->address, &server->length), 0);
	assert_int_equal(listen(fd, 64), 0);
	server->base = event_base_new();
	server->http = evhttp_new(server->base);
	evhttp_set_gencb(server->http, on_request, server);
	assert_int_equal(admin_clients_open(server->base, server->http, &limits, &server->clients),
			 0);
	assert_int_equal(accepting_start(server->http, fd), 0);
}

static void server_close(struct server *server)
{
	evhttp_free(server->http);
	admin_clients_close(server->clients);
	event_base_free(server->base);
}

/* Connect, send these bytes, and let the server accept the connection. */
static int client_open(struct server *server, const char *bytes)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), turn;

	assert_int_equal(connect(fd, (void *)&server->address, server->length), 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	for (turn = 0; turn < 4; turn++)
		event_base_loop(server->base, EVLOOP_NONBLOCK);
	return fd;
}

/* Has the server ended this connection? Answers are read and dropped. */
static bool is_ended(int fd)
{
	char bytes[1024];
	ssize_t length;

	do
		length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (length > 0);
	return length == 0 || errno != EAGAIN;
}

static void wait_ended(struct server *server, int fd)
{
	uint64_t end = clock_ms() + DEADLINE_MS;

	while (!is_ended(fd)) {
		assert_true(clock_ms() < end);
		event_base_loop(server->base, EVLOOP_ONCE);
	}
	close(fd);
}

static void wait_count(struct server *server, uint32_t count)
{
	uint64_t end = clock_ms() + DEADLINE_MS;

	while (admin_clients_count(server->clients) != count) {
		assert_true(clock_ms() < end);
		event_base_loop(server->base, EVLOOP_ONCE);
	}
}

static void one_that_has_its_answer_is_forgotten(void **state)
{
	struct server server;
	int fd;

	(void)state;
	server_open(&server, CLIENTS, DEADLINE_MS);
	fd = client_open(&server, "GET / HTTP/1.1\r\n\r\n");
	wait_ended(&server, fd);
	wait_count(&server, 0);
	server_close(&server);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	++*(unsigned int *)context;
}

/*
 * When a connection has ended, the number of its descriptor may be used again at once. libevent
 * must not take the new descriptor for the previous one.
 */
static void a_number_that_is_used_again_is_watched(void **state)
{
	struct server server;
	struct event *events[NUMBERS];
	const struct timeval deadline = {.tv_sec = DEADLINE_MS / 1000};
	unsigned int fired = 0;
	size_t i;

	(void)state;
	server_open(&server, CLIENTS, DEADLINE_MS);
	wait_ended(&server, client_open(&server, "GET / HTTP/1.1\r\n\r\n"));
	for (i = 0; i < NUMBERS; i++) {
		events[i] = event_new(server.base, eventfd(1, EFD_CLOEXEC), EV_READ, on_readable,
				      &fired);
		assert_int_equal(event_add(events[i], NULL), 0);
	}
	assert_int_equal(event_base_loopexit(server.base, &deadline), 0);
	while (fired < NUMBERS && !event_base_got_exit(server.base))
		event_base_loop(server.base, EVLOOP_ONCE);
	assert_int_equal(fired, NUMBERS);
	for (i = 0; i < NUMBERS; i++) {
		close(event_get_fd(events[i]));
		event_free(events[i]);
	}
	server_close(&server);
}

static void a_slow_one_is_ended(void **state)
{
	struct server server;
	int silent, halfway;

	(void)state;
	server_open(&server, CLIENTS, PATIENCE_MS);
	silent = client_open(&server, "");
	halfway = client_open(&server, "GET / HTTP/1.1\r\nX:");
	assert_false(is_ended(silent) || is_ended(halfway));
	wait_ended(&server, silent);
	wait_ended(&server, halfway);
	wait_count(&server, 0);
	server_close(&server);
}

static void one_too_many_ends_the_oldest(void **state)
{
	struct server server;
	int fds[CLIENTS + 1];
	size_t i;

	(void)state;
	server_open(&server, CLIENTS, DEADLINE_MS);
	for (i = 0; i < CLIENTS; i++)
		fds[i] = client_open(&server, "GET ");
	assert_false(is_ended(fds[0]));
	fds[CLIENTS] = client_open(&server, "GET ");
	wait_ended(&server, fds[0]);
	wait_count(&server, CLIENTS);
	for (i = 1; i <= CLIENTS; i++) {
		assert_false(is_ended(fds[i]));
		close(fds[i]);
	}
	wait_count(&server, 0);
	server_close(&server);
}

static void a_stream_is_left_alone(void **state)
{
	struct server server;
	int stream, slow;

	(void)state;
	server_open(&server, 2, PATIENCE_MS);
	stream = client_open(&server, "GET /stream HTTP/1.1\r\n\r\n");
	slow = client_open(&server, "");
	wait_ended(&server, slow);
	assert_false(is_ended(stream));
	wait_ended(&server, client_open(&server, "GET / HTTP/1.1\r\n\r\n"));
	assert_false(is_ended(stream));
	close(stream);
	wait_count(&server, 0);
	server_close(&server);
}

static void open_ones_are_closed_at_the_end(void **state)
{
	struct server server;
	int fd;

	(void)state;
	server_open(&server, CLIENTS, DEADLINE_MS);
	fd = client_open(&server, "GET ");
	server_close(&server);
	assert_true(is_ended(fd));
	close(fd);
	admin_clients_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_has_its_answer_is_forgotten),
		cmocka_unit_test(a_number_that_is_used_again_is_watched),
		cmocka_unit_test(a_slow_one_is_ended),
		cmocka_unit_test(one_too_many_ends_the_oldest),
		cmocka_unit_test(a_stream_is_left_alone),
		cmocka_unit_test(open_ones_are_closed_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
