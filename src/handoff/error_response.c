// SPDX-License-Identifier: MIT
#include "handoff/error_response.h"

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

/* A connection that waits for the client's first byte, or, once answered, for its end. */
struct answer {
	struct answer *next; /* when all are ended */
	struct event *event;
	enum answer_kind kind;
	unsigned int retry_after;
	bool is_sent;
	time_t until; /* once sent, by CLOCK_MONOTONIC: not even one that keeps talking stays longer
		       */
};

enum taken { TOOK_NOTHING, TOOK_SOME, TOOK_THE_END };

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void end(struct answer *answer, int fd)
{
	if (answer->event)
		event_free(answer->event);
	free(answer);
	close(fd);
}

/* Read what the client has sent, and forget all but its first byte. */
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

static bool send_answer(int fd, enum answer_kind kind, unsigned int retry_after)
{
	static const char *const lines[ANSWER_KIND_COUNT] = {
		[ANSWER_502] = "502 Bad Gateway",
		[ANSWER_503] = "503 Service Unavailable",
	};
	char text[512];
	int length =
		snprintf(text, sizeof(text),
			 "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\nRetry-After: %u\r\n\r\n%s",
			 lines[kind], sizeof(BODY) - 1, retry_after, BODY);

	/* A fresh connection's buffer takes it whole, or the client is gone. */
	return send(fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

/* What it has sent by now is known; a client that has closed its half gets the answer too. */
static void send_or_close(struct answer *answer, int fd, char first)
{
	static const struct timeval limit = {.tv_sec = LINGER_SECONDS};

	if (first == TLS_HANDSHAKE || !send_answer(fd, answer->kind, answer->retry_after) ||
	    shutdown(fd, SHUT_WR)) {
		end(answer, fd);
		return;
	}
	answer->is_sent = true;
	answer->until = now() + LINGER_SECONDS;
	if (event_add(answer->event, &limit))
		end(answer, fd);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	struct answer *answer = context;
	char first = 0;
	enum taken taken = what & EV_TIMEOUT ? TOOK_NOTHING : take(fd, &first);

	if (!answer->is_sent)
		send_or_close(answer, fd, first);
	else if (what & EV_TIMEOUT || taken == TOOK_THE_END || now() >= answer->until)
		end(answer, fd);
}

void answer_unavailable(struct event_base *base, int fd, enum answer_kind kind,
			unsigned int retry_after, unsigned int patience_ms)
{
	struct timeval patience = {.tv_sec = patience_ms / 1000,
				   .tv_usec = patience_ms % 1000 * 1000};
	struct answer *answer = kind == ANSWER_CLOSE ? NULL : calloc(1, sizeof(*answer));
	char first = 0;

	if (!answer) {
		close(fd);
		return;
	}
	answer->kind = kind;
	answer->retry_after = retry_after;
	answer->event = event_new(base, fd, EV_READ | EV_PERSIST, on_event, answer);
	if (answer->event && (take(fd, &first) != TOOK_NOTHING || !patience_ms)) {
		send_or_close(answer, fd, first);
		return;
	}
	if (!answer->event || event_add(answer->event, &patience))
		end(answer, fd);
}

static int collect(const struct event_base *base, const struct event *event, void *context)
{
	struct answer **first = context, *answer;

	(void)base;
	if (event_get_callback(event) != on_event)
		return 0;
	answer = event_get_callback_arg(event);
	answer->next = *first;
	*first = answer;
	return 0;
}

void answer_end_all(struct event_base *base)
{
	struct answer *first = NULL, *answer;

	event_base_foreach_event(base, collect, &first);
	while ((answer = first)) {
		int fd = event_get_fd(answer->event);
		char byte = 0;

		first = answer->next;
		if (!answer->is_sent && take(fd, &byte) != TOOK_THE_END && byte != TLS_HANDSHAKE)
			send_answer(fd, answer->kind, answer->retry_after);
		end(answer, fd);
	}
}
