// SPDX-License-Identifier: MIT
#include "listen/queue_alarm.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/*
 * An epoll instance within the loop's. It is only watched, and never read: it is readable as long
 * as one of its sockets is.
 */
struct queue_alarm {
	int epoll;
	struct event *readable;
	queue_alarm_fn *fn;
	void *context;
};

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct queue_alarm *alarm = context;

	(void)fd;
	(void)what;
	alarm->fn(alarm->context);
}

int queue_alarm_open(struct event_base *base, queue_alarm_fn *fn, void *context,
		     struct queue_alarm **ret_alarm)
{
	struct queue_alarm *alarm = calloc(1, sizeof(*alarm));
	int error = 0;

	if (!alarm)
		return -ENOMEM;
	alarm->fn = fn;
	alarm->context = context;
	alarm->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (alarm->epoll < 0) {
		error = -errno;
	} else {
		alarm->readable = event_new(base, alarm->epoll, EV_READ, on_readable, alarm);
		if (!alarm->readable)
			error = -ENOMEM;
	}
	if (error) {
		queue_alarm_close(alarm);
		return error;
	}
	*ret_alarm = alarm;
	return 0;
}

void queue_alarm_close(struct queue_alarm *alarm)
{
	if (!alarm)
		return;
	if (alarm->readable)
		event_free(alarm->readable);
	if (alarm->epoll >= 0)
		close(alarm->epoll);
	free(alarm);
}

int queue_alarm_add(struct queue_alarm *alarm, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(alarm->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void queue_alarm_remove(struct queue_alarm *alarm, int fd)
{
	epoll_ctl(alarm->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int queue_alarm_arm(struct queue_alarm *alarm)
{
	return event_add(alarm->readable, NULL) ? -ENOMEM : 0;
}
