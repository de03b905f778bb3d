// SPDX-License-Identifier: MIT
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "failure.h"

#define EVENTS_MAX 64

void loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event))
		fail("epoll_ctl");
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
	if (epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL))
		fail("epoll_ctl");
}

void loop_start_timer(struct loop *loop, struct watch *timer, unsigned int delay_ms,
		      watch_fn *handle)
{
	struct itimerspec spec = {
		.it_value.tv_sec = delay_ms / 1000,
		/* Zero would disarm the timer. One nanosecond fires at once. */
		.it_value.tv_nsec = delay_ms ? delay_ms % 1000 * 1000000L : 1,
	};

	timer->handle = handle;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd < 0 || timerfd_settime(timer->fd, 0, &spec, NULL))
		fail("timerfd");
	loop_watch(loop, timer, EPOLLIN);
}

void *loop_run(void *argument)
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

void loop_init(struct loop *loop, struct worker *worker, int stop, watch_fn *handle_stop)
{
	loop->worker = worker;
	loop->stop = (struct watch){.handle = handle_stop, .fd = stop};
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		fail("epoll_create1");
	loop_watch(loop, &loop->stop, EPOLLIN);
}
