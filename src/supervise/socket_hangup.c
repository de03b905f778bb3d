// SPDX-License-Identifier: MIT
#include "supervise/socket_hangup.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/*
 * An epoll instance within the loop's: libevent can't watch for a hang-up alone, and would be
 * woken for every connection.
 */
struct hangup {
	int epoll;
	struct event *readable;
	hangup_fn *fn;
};

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct hangup *hangup = context;
	struct epoll_event event;

	(void)what;
	/*
	 * One socket is handled in each turn, as the callback may remove others. The event is
	 * level-triggered, and comes again.
	 */
	if (epoll_wait(fd, &event, 1, 0) == 1)
		hangup->fn(event.data.ptr);
}

int hangup_open(struct event_base *base, hangup_fn *fn, struct hangup **ret_hangup)
{
	struct hangup *hangup = calloc(1, sizeof(*hangup));
	int error = 0;

	if (!hangup)
		return -ENOMEM;
	hangup->fn = fn;
	hangup->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (hangup->epoll < 0) {
		error = -errno;
	} else {
		hangup->readable =
			event_new(base, hangup->epoll, EV_READ | EV_PERSIST, on_readable, hangup);
		if (!hangup->readable || event_add(hangup->readable, NULL))
			error = -ENOMEM;
	}
	if (error) {
		hangup_close(hangup);
		return error;
	}
	*ret_hangup = hangup;
	return 0;
}

void hangup_close(struct hangup *hangup)
{
	if (!hangup)
		return;
	if (hangup->readable)
		event_free(hangup->readable);
	if (hangup->epoll >= 0)
		close(hangup->epoll);
	free(hangup);
}

int hangup_add(struct hangup *hangup, int fd, void *who)
{
	/* No event is requested: EPOLLHUP is always reported. */
	struct epoll_event event = {.events = 0, .data.ptr = who};

	return epoll_ctl(hangup->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void hangup_remove(struct hangup *hangup, int fd)
{
	epoll_ctl(hangup->epoll, EPOLL_CTL_DEL, fd, NULL);
}
