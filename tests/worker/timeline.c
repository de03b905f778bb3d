// SPDX-License-Identifier: MIT
#include "timeline.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"
#include "listeners.h"
#include "notify.h"

static void handle_notify_timer(struct loop *loop, struct watch *watch)
{
	loop_unwatch(loop, watch);
	notify("READY=1");
}

static void handle_accept_timer(struct loop *loop, struct watch *watch)
{
	loop_unwatch(loop, watch);
	if (!loop->draining)
		listeners_accept(loop->worker);
}

/*
 * Send WATCHDOG=1, and again after half of the time that WATCHDOG_USEC allows: see
 * sd_watchdog_enabled(3).
 */
static void handle_watchdog(struct loop *loop, struct watch *watch)
{
	const char *limit_us = getenv("WATCHDOG_USEC");
	unsigned long period_ms = limit_us ? strtoul(limit_us, NULL, 10) / 2000 : 0;

	close(watch->fd);
	notify("WATCHDOG=1");
	loop_start_timer(loop, watch, period_ms ? (unsigned int)period_ms : 1, handle_watchdog);
}

/*
 * Shut the worker's own listening sockets down, as a faulty worker may do. No client reaches the
 * worker any more.
 */
static void handle_shut_timer(struct loop *loop, struct watch *watch)
{
	unsigned int i;

	loop_unwatch(loop, watch);
	for (i = 0; i < loop->worker->listener_count; i++) {
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->worker->listeners[i].fd, NULL);
		shutdown(loop->worker->listeners[i].fd, SHUT_RD);
	}
}

/* Announce the worker's end with STOPPING=1, and stop, without a signal. */
static void handle_stopping_timer(struct loop *loop, struct watch *watch)
{
	uint64_t one = 1;

	loop_unwatch(loop, watch);
	notify("STOPPING=1");
	if (write(loop->stop.fd, &one, sizeof(one)) != sizeof(one))
		fail("eventfd");
}

/* Exit without closing or draining anything, as if a fault had ended the worker. */
static void handle_exit_timer(struct loop *loop, struct watch *watch)
{
	(void)watch;
	_exit(loop->worker->options.exit_code);
}

void timeline_start(struct worker *worker)
{
	const struct options *options = &worker->options;
	struct loop *loop = &worker->loops[0];

	if (options->status)
		notify_status(options->status);
	if (options->accept_after_ms)
		loop_start_timer(loop, &worker->accept_timer, options->accept_after_ms,
				 handle_accept_timer);
	else if (!options->no_accept)
		listeners_accept(worker);
	if (options->exits)
		loop_start_timer(loop, &worker->exit_timer, options->exit_after_ms,
				 handle_exit_timer);
	if (options->shut_after_ms)
		loop_start_timer(loop, &worker->shut_timer, options->shut_after_ms,
				 handle_shut_timer);
	if (options->stopping_after_ms)
		loop_start_timer(loop, &worker->stopping_timer, options->stopping_after_ms,
				 handle_stopping_timer);
	if (options->notify && options->notify_delay_ms)
		loop_start_timer(loop, &worker->notify_timer, options->notify_delay_ms,
				 handle_notify_timer);
	else if (options->notify)
		notify("READY=1");
	if (options->watchdog)
		loop_start_timer(loop, &worker->watchdog_timer, 1, handle_watchdog);
}
