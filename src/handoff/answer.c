// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TLS_HANDSHAKE  0x16  /* the first byte of a TLS hello: RFC 8446, 5.1 */
#define READ_MAX       65536 /* of what a client sent before the answer */
#define LINGER_SECONDS 2     /* how long its remaining bytes are read after the answer */
#define BODY	       "The worker of this client is not available.\n"

/* A connection that was answered, until the client has closed too. */
struct lingering {
	struct event *event;
	time_t until; /* by CLOCK_MONOTONIC: not even one that keeps talking stays longer */
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void end(struct lingering *lingering, int fd)
{
	event_free(lingering->event);
	free(lingering);
	close(fd);
}

/* Returns false at the end of the stream, or where it is broken. */
static bool discard(int fd, char *ret_first)
{
	char bytes[4096];
	size_t total = 0;

	while (total < READ_MAX) {
		ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (length < 0)
			return errno == EAGAIN || errno == EINTR;
		if (length == 0)
			return false;
		if (total == 0 && ret_first)
			*ret_first = bytes[0];
		total += (size_t)length;
	}
	return true;
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	struct lingering *lingering = context;

	if (what & EV_TIMEOUT || now() >= lingering->until || !discard(fd, NULL))
		end(lingering, fd);
}

static void linger(struct event_base *base, int fd)
{
	static const struct timeval limit = {.tv_sec = LINGER_SECONDS};
	struct lingering *lingering = calloc(1, sizeof(*lingering));

	if (lingering) {
		lingering->until = now() + LINGER_SECONDS;
		lingering->event = event_new(base, fd, EV_READ | EV_PERSIST, on_event, lingering);
	}
	if (!lingering || !lingering->event || event_add(lingering->event, &limit)) {
		if (lingering && lingering->event)
			event_free(lingering->event);
		free(lingering);
		close(fd);
	}
}

static bool send_answer(int fd, unsigned int retry_after)
{
	char text[512];
	int length =
		snprintf(text, sizeof(text),
			 "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\nRetry-After: %u\r\n\r\n%s",
			 sizeof(BODY) - 1, retry_after, BODY);

	/* A fresh connection's buffer takes it whole, or the client is gone. */
	return send(fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

void answer_unavailable(struct event_base *base, int fd, unsigned int retry_after)
{
	char first = 0;

	/* A client that has closed its half still gets the answer. */
	discard(fd, &first);
	if (first == TLS_HANDSHAKE || !send_answer(fd, retry_after) || shutdown(fd, SHUT_WR)) {
		close(fd);
		return;
	}
	linger(base, fd);
}
