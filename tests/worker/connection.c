// SPDX-License-Identifier: MIT
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "failure.h"
#include "tally.h"
#include "worker.h"

#define HEAD_MAX 16384 /* number of bytes of a request that are kept */

struct connection {
	/* the first member, as handle_connection() converts its watch to a connection */
	struct watch watch;
	struct watch delay; /* fd -1: the answer is not delayed */
	struct sockaddr_storage peer;
	int listener;
	size_t length;
	char head[HEAD_MAX];
};

static const char *peer_text(const struct sockaddr_storage *peer, char text[INET6_ADDRSTRLEN])
{
	const void *address =
		peer->ss_family == AF_INET6
			? (const void *)&((const struct sockaddr_in6 *)peer)->sin6_addr
			: &((const struct sockaddr_in *)peer)->sin_addr;

	if (!inet_ntop(peer->ss_family, address, text, INET6_ADDRSTRLEN))
		return "-"; /* the peer is a UNIX socket */
	return text;
}

/*
 * Send the answer. It is far smaller than any send buffer: it is sent whole, or the client is gone.
 */
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

static void connection_close(struct connection *connection)
{
	close(connection->watch.fd);
	tally_closed();
	if (connection->delay.fd >= 0)
		close(connection->delay.fd);
	free(connection);
}

/* Answer the request. Returns whether the connection is over. */
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
		loop_watch(loop, &connection->watch, EPOLLIN);
		return;
	}
	connection_close(connection);
	loop->connections--;
}

/* Returns the delay that "wait=MS" in the request asks for, in ms, or 0 if there is none. */
static unsigned int wanted_delay(const struct connection *connection)
{
	const char *found = strstr(connection->head, "wait=");

	return found ? (unsigned int)strtoul(found + strlen("wait="), NULL, 10) : 0;
}

/*
 * Read the bytes that are there. Returns whether the connection is over: it was answered, or an
 * error or the end of the input came first.
 */
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

/*
 * Start the timer if the request asks for a delay. Nothing is read until the request is answered.
 * Returns whether there is a delay.
 */
static bool begin_delay(struct loop *loop, struct connection *connection)
{
	unsigned int delay_ms = wanted_delay(connection);

	if (!connection->length || !request_complete(connection) || !delay_ms)
		return false;
	loop_start_timer(loop, &connection->delay, delay_ms, handle_delay);
	return true;
}

static void handle_connection(struct loop *loop, struct watch *watch)
{
	struct connection *connection = (struct connection *)watch;

	if (!serve(loop->worker, connection)) {
		if (begin_delay(loop, connection))
			loop_unwatch(loop, watch);
		return;
	}
	connection_close(connection);
	loop->connections--;
}

void connection_open(struct loop *loop, int fd, int listener, const struct sockaddr_storage *peer)
{
	struct connection *connection;

	tally_accepted();
	if (loop->worker->options.banner) {
		answer(loop->worker, fd, listener, peer, false);
		close(fd);
		tally_closed();
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
	/* the request has often arrived with the connection */
	if (serve(loop->worker, connection)) {
		connection_close(connection);
		return;
	}
	loop->connections++;
	if (!begin_delay(loop, connection))
		loop_watch(loop, &connection->watch, EPOLLIN);
}
