// SPDX-License-Identifier: MIT
#include "handoff/error_response.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define TLS_HANDSHAKE  0x16  /* the first byte of a TLS hello: RFC 8446, 5.1 */
#define READ_MAX       65536 /* most bytes that are read before the response */
#define LINGER_SECONDS 2     /* how long the client's bytes are read after the response */
#define BODY	       "The worker of this client is not available.\n"

/*
 * A connection that is being answered. It first waits for the client's first byte; after the
 * response it waits until the client closes.
 */
struct error_response {
	struct error_response *next; /* next one in the list of error_response_end_all() */
	struct event *event;
	enum down_answer kind;
	unsigned int retry_after;
	bool is_sent;
	/* the time at which the connection is closed at the latest, by clock_ms() */
	uint64_t until_ms;
};

enum taken { TOOK_NOTHING, TOOK_SOME, TOOK_THE_END };

static void end(struct error_response *response, int fd)
{
	if (response->event)
		event_free(response->event);
	free(response);
	close(fd);
}

/* Read the client's bytes. Only the first byte is of interest. */
static enum taken take(int fd, char *ret_first)
{
	char bytes[4096];
	size_t total = 0;

	while (total < READ_MAX) {
		ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
			return TOOK_THE_END;
		if (length < 0)
			break;
		if (total == 0)
			*ret_first = bytes[0];
		total += (size_t)length;
	}
	return total ? TOOK_SOME : TOOK_NOTHING;
}

static bool send_answer(int fd, enum down_answer kind, unsigned int retry_after)
{
	static const char *const lines[DOWN_ANSWER_COUNT] = {
		[DOWN_ANSWER_502] = "502 Bad Gateway",
		[DOWN_ANSWER_503] = "503 Service Unavailable",
	};
	char text[512];
	int length =
		snprintf(text, sizeof(text),
			 "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\nRetry-After: %u\r\n\r\n%s",
			 lines[kind], sizeof(BODY) - 1, retry_after, BODY);

	/* The send buffer of a new connection takes the whole response. */
	return send(fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

/*
 * Send the response, and wait for the client's end. A client that has closed its half gets it, too.
 */
static void send_or_close(struct error_response *response, int fd, char first)
{
	static const struct timeval limit = {.tv_sec = LINGER_SECONDS};

	if (first == TLS_HANDSHAKE || !send_answer(fd, response->kind, response->retry_after) ||
	    shutdown(fd, SHUT_WR)) {
		end(response, fd);
		return;
	}
	response->is_sent = true;
	response->until_ms = clock_ms() + LINGER_SECONDS * 1000;
	if (event_add(response->event, &limit))
		end(response, fd);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	struct error_response *response = context;
	char first = 0;
	enum taken taken = what & EV_TIMEOUT ? TOOK_NOTHING : take(fd, &first);

	if (!response->is_sent)
		send_or_close(response, fd, first);
	else if (what & EV_TIMEOUT || taken == TOOK_THE_END || clock_ms() >= response->until_ms)
		end(response, fd);
}

void error_response_send(struct event_base *base, int fd, enum down_answer kind,
			 unsigned int retry_after, unsigned int patience_ms)
{
	struct timeval patience = {.tv_sec = patience_ms / 1000,
				   .tv_usec = patience_ms % 1000 * 1000};
	struct error_response *response =
		kind == DOWN_ANSWER_CLOSE ? NULL : calloc(1, sizeof(*response));
	char first = 0;

	if (!response) {
		close(fd);
		return;
	}
	response->kind = kind;
	response->retry_after = retry_after;
	response->event = event_new(base, fd, EV_READ | EV_PERSIST, on_event, response);
	if (response->event && (take(fd, &first) != TOOK_NOTHING || !patience_ms)) {
		send_or_close(response, fd, first);
		return;
	}
	if (!response->event || event_add(response->event, &patience))
		end(response, fd);
}

static int collect(const struct event_base *base, const struct event *event, void *context)
{
	struct error_response **first = context, *response;

	(void)base;
	if (event_get_callback(event) != on_event)
		return 0;
	response = event_get_callback_arg(event);
	response->next = *first;
	*first = response;
	return 0;
}

void error_response_end_all(struct event_base *base)
{
	struct error_response *first = NULL, *response;

	event_base_foreach_event(base, collect, &first);
	while ((response = first)) {
		int fd = event_get_fd(response->event);
		char byte = 0;

		first = response->next;
		if (!response->is_sent && take(fd, &byte) != TOOK_THE_END && byte != TLS_HANDSHAKE)
			send_answer(fd, response->kind, response->retry_after);
		end(response, fd);
	}
}
