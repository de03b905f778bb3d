// SPDX-License-Identifier: MIT
/* The thread of a dispatcher: it accepts connections until it is stopped. */
#include "handoff/dispatcher_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"

#define EVENTS_MAX   64
#define ACCEPT_BATCH 64	 /* connections accepted in a row, before pending ones are looked at */
#define PAUSE_MS     100 /* time until the next try after descriptors ran out */

/* ---- Accepting ---------------------------------------------------------------------- */

static void unwatch_listeners(struct dispatcher *dispatcher)
{
	uint32_t i;

	for (i = 0; i < dispatcher->options.fd_count; i++)
		epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, dispatcher->options.fds[i], NULL);
	dispatcher->is_paused = true;
	dispatcher->paused_ms = clock_ms();
}

/*
 * Watch the listening sockets. Returns 0, or -errno: the dispatcher then pauses, and tries again
 * after PAUSE_MS.
 */
static int watch_listeners(struct dispatcher *dispatcher)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < dispatcher->options.fd_count && !error; i++) {
		struct epoll_event event = {.events = EPOLLIN,
					    .data.ptr = (void *)&dispatcher->options.fds[i]};

		if (epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_ADD, dispatcher->options.fds[i],
			      &event))
			error = -errno;
	}
	dispatcher->is_paused = false;
	if (error)
		unwatch_listeners(dispatcher);
	return error;
}

/* Accept one connection. Returns false if the queue is empty, or no descriptor is left. */
static bool accept_one(struct dispatcher *dispatcher, int listener)
{
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof(peer);
	int fd = accept4(listener, (void *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		counter_add(&dispatcher->options.counters->accepted, 1);
		dispatcher_heads_begin(dispatcher, fd, &peer);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		unwatch_listeners(dispatcher);
	}
	return fd >= 0 || errno == ECONNABORTED || errno == EINTR;
}

static void accept_some(struct dispatcher *dispatcher, int listener)
{
	int accepted;

	for (accepted = 0; accepted < ACCEPT_BATCH; accepted++)
		if (!accept_one(dispatcher, listener))
			return;
}

/* ---- The thread --------------------------------------------------------------------- */

static int next_wait_ms(struct dispatcher *dispatcher)
{
	uint64_t now = clock_ms(), due = dispatcher_heads_due_ms(dispatcher);

	if (dispatcher->is_paused && dispatcher->paused_ms + PAUSE_MS < due)
		due = dispatcher->paused_ms + PAUSE_MS;
	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	return due - now < INT32_MAX ? (int)(due - now) : INT32_MAX;
}

static bool is_listener(const struct dispatcher *dispatcher, const void *data)
{
	const int *fd = data;

	return fd >= dispatcher->options.fds &&
	       fd < dispatcher->options.fds + dispatcher->options.fd_count;
}

static void dispatcher_handle(struct dispatcher *dispatcher, void *data)
{
	if (data == dispatcher)
		dispatcher->stopping = true;
	else if (is_listener(dispatcher, data))
		accept_some(dispatcher, *(int *)data);
	else
		dispatcher_heads_look_again(dispatcher, data);
}

static void accept_all(struct dispatcher *dispatcher)
{
	uint32_t i;

	for (i = 0; i < dispatcher->options.fd_count; i++)
		while (accept_one(dispatcher, dispatcher->options.fds[i]))
			;
}

static void dispatcher_turn(struct dispatcher *dispatcher, int wait_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int ready = epoll_wait(dispatcher->poll_fd, events, EVENTS_MAX, wait_ms), i;

	for (i = 0; i < ready; i++)
		dispatcher_handle(dispatcher, events[i].data.ptr);
	dispatcher_heads_end_slow(dispatcher);
}

/* Submit or close every connection that has been accepted, unless another program follows. */
static void dispatcher_finish(struct dispatcher *dispatcher)
{
	bool leaves_queues;

	pthread_mutex_lock(&dispatcher->lock);
	leaves_queues = dispatcher->leaves_queues;
	pthread_mutex_unlock(&dispatcher->lock);
	if (leaves_queues)
		return;
	accept_all(dispatcher);
	dispatcher_heads_finish(dispatcher);
}

static void begin_with_accepted(struct dispatcher *dispatcher)
{
	size_t i;

	for (i = 0; i < dispatcher->options.accepted_count; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t length = sizeof(peer);

		/* A client that has reset the connection has no address any more. */
		if (getpeername(dispatcher->accepted[i], (void *)&peer, &length)) {
			exits_close(dispatcher->accepted[i],
				    &dispatcher->options.counters->client_gone);
		} else {
			dispatcher_heads_begin(dispatcher, dispatcher->accepted[i], &peer);
		}
	}
	free(dispatcher->accepted);
	dispatcher->accepted = NULL;
}

static void *dispatcher_run(void *context)
{
	struct dispatcher *dispatcher = context;

	if (dispatcher->options.thread_begins)
		dispatcher->options.thread_begins();
	begin_with_accepted(dispatcher);
	while (!dispatcher->stopping) {
		dispatcher_turn(dispatcher, next_wait_ms(dispatcher));
		if (dispatcher->is_paused && dispatcher->paused_ms + PAUSE_MS <= clock_ms())
			(void)watch_listeners(
				dispatcher); /* on failure the dispatcher pauses again */
	}
	dispatcher_finish(dispatcher);
	return NULL;
}

/* ---- Start and stop ----------------------------------------------------------------- */

static int open_poll(struct dispatcher *dispatcher)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = dispatcher};

	dispatcher->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	dispatcher->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dispatcher->poll_fd < 0 || dispatcher->stop_fd < 0 ||
	    epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_ADD, dispatcher->stop_fd, &event))
		return -errno;
	return watch_listeners(dispatcher);
}

/* Start the thread with a mask that blocks all signals, as only the event loop handles them. */
static int start_thread(struct dispatcher *dispatcher)
{
	sigset_t all, previous;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &previous);
	error = pthread_create(&dispatcher->thread, NULL, dispatcher_run, dispatcher);
	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	if (!error)
		pthread_setname_np(dispatcher->thread, "dispatcher");
	return -error;
}

static int copy_accepted(struct dispatcher *dispatcher)
{
	const struct dispatcher_options *options = &dispatcher->options;

	if (!options->accepted_count)
		return 0;
	dispatcher->accepted = calloc(options->accepted_count, sizeof(*dispatcher->accepted));
	if (!dispatcher->accepted)
		return -ENOMEM;
	memcpy(dispatcher->accepted, options->accepted,
	       options->accepted_count * sizeof(*dispatcher->accepted));
	return 0;
}

static void free_dispatcher(struct dispatcher *dispatcher)
{
	free(dispatcher->accepted);
	if (dispatcher->poll_fd >= 0)
		close(dispatcher->poll_fd);
	if (dispatcher->stop_fd >= 0)
		close(dispatcher->stop_fd);
	pthread_mutex_destroy(&dispatcher->lock);
	dispatch_rules_unref(dispatcher->rules);
	free(dispatcher);
}

int dispatcher_start(const struct dispatcher_options *options, const struct dispatch_rules *rules,
		     struct dispatcher **ret_dispatcher)
{
	struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
	int error;

	if (!dispatcher)
		return -ENOMEM;
	dispatcher->options = *options;
	dispatcher->rules = dispatch_rules_ref(rules);
	dispatcher->poll_fd = dispatcher->stop_fd = -1;
	TAILQ_INIT(&dispatcher->proxies);
	TAILQ_INIT(&dispatcher->samples);
	pthread_mutex_init(&dispatcher->lock, NULL);
	error = copy_accepted(dispatcher);
	if (!error)
		error = open_poll(dispatcher);
	if (!error)
		error = start_thread(dispatcher);
	if (error) {
		free_dispatcher(dispatcher);
		return error;
	}
	*ret_dispatcher = dispatcher;
	return 0;
}

void dispatcher_set_rules(struct dispatcher *dispatcher, const struct dispatch_rules *rules)
{
	const struct dispatch_rules *previous;

	pthread_mutex_lock(&dispatcher->lock);
	previous = dispatcher->rules;
	dispatcher->rules = dispatch_rules_ref(rules);
	pthread_mutex_unlock(&dispatcher->lock);
	dispatch_rules_unref(previous);
}

uint32_t dispatcher_pending(const struct dispatcher *dispatcher)
{
	return __atomic_load_n(&dispatcher->pending_count, __ATOMIC_RELAXED);
}

/* End the thread, and wait for it. It ends after dispatcher_finish(). */
static void end_thread(struct dispatcher *dispatcher)
{
	uint64_t one = 1;
	ssize_t written = write(dispatcher->stop_fd, &one, sizeof(one));

	(void)written;
	pthread_join(dispatcher->thread, NULL);
}

void dispatcher_stop(struct dispatcher *dispatcher)
{
	if (!dispatcher)
		return;
	end_thread(dispatcher);
	free_dispatcher(dispatcher);
}

int dispatcher_leave(struct dispatcher *dispatcher, struct carried *carried)
{
	int error;

	/* The thread reads this in dispatcher_finish(). */
	pthread_mutex_lock(&dispatcher->lock);
	dispatcher->leaves_queues = true;
	pthread_mutex_unlock(&dispatcher->lock);
	end_thread(dispatcher);
	error = dispatcher_heads_leave(dispatcher, carried);
	free_dispatcher(dispatcher);
	return error;
}
