// SPDX-License-Identifier: MIT
#include "api/http_accept.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <string.h>

#include "common/log.h"

#define PAUSE_MS 500 /* milliseconds; each try writes a line to the log */

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	evconnlistener_enable(context);
}

/* Pause accepting after EMFILE, ENFILE, ENOBUFS or ENOMEM: a new try at once would fail again. */
static void on_error(struct evconnlistener *listener, void *context)
{
	static const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
	int error = EVUTIL_SOCKET_ERROR();

	(void)context;
	report(STICKY_LOG_WARN, "accept_paused", "for_ms=%d error=\"%s\"", PAUSE_MS,
	       strerror(error));
	/* event_base_free() frees a pending one-shot event: it can't fire for a freed listener. */
	if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, on_pause_over,
			    listener, &pause) == 0)
		evconnlistener_disable(listener);
}

struct bufferevent *accepting_make_stream(struct event_base *base, void *context)
{
	(void)context;
	return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

int accepting_start(struct evhttp *http, int fd)
{
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(http, fd);

	if (!bound)
		return -ENOMEM;
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound), on_error);
	return 0;
}
