// SPDX-License-Identifier: MIT
#include "handoff/dispatcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/clock.h"
#include "handoff/connection_head.h"

#define EVENTS_MAX   64
#define ACCEPT_BATCH 64	 /* accepted in a row, before pending connections are looked at */
#define PAUSE_MS     100 /* time until the next try after descriptors ran out */

/*
 * How long the dispatcher waits for the head of a sample. A proxy sends its head at once. A client
 * of a server that speaks first (SMTP) sends nothing, and is delayed by the whole of this time.
 */
#define SAMPLE_PATIENCE_MS 200

/* A connection whose head is not complete yet. */
struct pending {
	TAILQ_ENTRY(pending) in_order; /* ordered by since_ms */
	struct connection_head head;
	uint64_t since_ms;
};

TAILQ_HEAD(pending_list, pending);

struct dispatcher {
	struct dispatcher_options options;
	pthread_t thread;
	int poll_fd;
	int stop_fd; /* an eventfd: readable when the thread is to end */
	bool stopping;
	bool leaves_queues; /* see dispatcher_leave() */
	uint32_t patience_ms;
	bool is_paused; /* does not accept, as no descriptor was left */
	uint64_t paused_ms;
	struct pending_list proxies;
	struct pending_list samples; /* connections of untrusted peers: their timeout is shorter */
	uint32_t pending_count;	     /* only the thread writes it; other threads read it */
	pthread_mutex_t lock;	     /* protects `rules`, and what dispatcher_leave() sets */
	const struct dispatch_rules *rules; /* read by take_rules() */
	uint8_t bytes[CONNECTION_HEAD_SIZE_MAX];
};

static void dispatcher_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- A connection whose head was read ----------------------------------------------- */

static void dispatcher_notify(const struct dispatcher *dispatcher,
			      const struct connection_head *head)
{
	if (head->keeps_alive)
		dispatcher->options.notice(dispatcher->options.context, DISPATCH_KEEPS_ALIVE,
					   &head->peer.any);
	if (head->is_untrusted_word)
		dispatcher->options.notice(dispatcher->options.context, DISPATCH_UNTRUSTED_HEADER,
					   &head->peer.any);
}

static void dispatcher_submit(const struct dispatcher *dispatcher,
			      const struct connection_head *head)
{
	const struct delivery_item item = {
		.fd = head->fd, .source = head->source, .client = head->client};

	if (delivery_submit(dispatcher->options.delivery, &item))
		close(head->fd); /* out of memory */
}

/* Returns false where the head is not complete yet. */
static bool dispatcher_settle(struct dispatcher *dispatcher, struct connection_head *head,
			      enum connection_head_state state)
{
	struct dispatch_counters *counters = dispatcher->options.counters;

	switch (state) {
	case CONNECTION_HEAD_MORE:
		return false;
	case CONNECTION_HEAD_KNOWN:
		dispatcher_notify(dispatcher, head);
		dispatcher_submit(dispatcher, head);
		return true;
	case CONNECTION_HEAD_BAD:
		dispatcher_count(&counters->bad_header);
		break;
	case CONNECTION_HEAD_GONE:
		dispatcher_count(&counters->client_gone);
		break;
	}
	close(head->fd);
	return true;
}

/* Returns the present rules, with a reference for the caller. */
static const struct dispatch_rules *take_rules(struct dispatcher *dispatcher)
{
	const struct dispatch_rules *rules;

	pthread_mutex_lock(&dispatcher->lock);
	rules = dispatch_rules_ref(dispatcher->rules);
	pthread_mutex_unlock(&dispatcher->lock);
	return rules;
}

static enum connection_head_state dispatcher_look(struct dispatcher *dispatcher,
						  struct connection_head *head)
{
	const struct dispatch_rules *rules = take_rules(dispatcher);
	enum connection_head_state state = connection_head_look(head, rules, dispatcher->bytes);

	dispatch_rules_unref(rules);
	return state;
}

static uint32_t head_timeout_ms(struct dispatcher *dispatcher)
{
	const struct dispatch_rules *rules = take_rules(dispatcher);
	uint32_t timeout = rules->head_timeout_ms;

	dispatch_rules_unref(rules);
	return timeout;
}

/* ---- Connections whose head is not complete ----------------------------------------- */

static void set_pending_count(struct dispatcher *dispatcher, uint32_t value)
{
	__atomic_store_n(&dispatcher->pending_count, value, __ATOMIC_RELAXED);
}

static struct pending_list *list_of(struct dispatcher *dispatcher,
				    const struct connection_head *head)
{
	return head->is_sample ? &dispatcher->samples : &dispatcher->proxies;
}

/*
 * The event is edge-triggered (EPOLLET): bytes that were only peeked at stay in the socket, and
 * must not be reported again.
 */
static int wait_for_more(struct dispatcher *dispatcher, const struct connection_head *head)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = pending};

	if (!pending)
		return -ENOMEM;
	pending->head = *head;
	pending->since_ms = clock_ms();
	if (epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_ADD, head->fd, &event)) {
		free(pending);
		return -errno;
	}
	TAILQ_INSERT_TAIL(list_of(dispatcher, head), pending, in_order);
	set_pending_count(dispatcher, dispatcher->pending_count + 1);
	return 0;
}

/*
 * If the descriptor is passed to another process, the caller must take it out of the epoll set
 * before.
 */
static void dispatcher_forget(struct dispatcher *dispatcher, struct pending *pending)
{
	TAILQ_REMOVE(list_of(dispatcher, &pending->head), pending, in_order);
	set_pending_count(dispatcher, dispatcher->pending_count - 1);
	free(pending);
}

static void on_more(struct dispatcher *dispatcher, struct pending *pending)
{
	struct connection_head head = pending->head;
	enum connection_head_state state = dispatcher_look(dispatcher, &head);

	if (state == CONNECTION_HEAD_MORE) {
		pending->head = head;
		return;
	}
	epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, head.fd, NULL);
	dispatcher_forget(dispatcher, pending);
	dispatcher_settle(dispatcher, &head, state);
}

static uint32_t patience_ms(struct dispatcher *dispatcher, const struct connection_head *head)
{
	uint32_t timeout = head_timeout_ms(dispatcher);

	return head->is_sample && timeout > SAMPLE_PATIENCE_MS ? SAMPLE_PATIENCE_MS : timeout;
}

/* Returns the time at which the first connection of a list times out. */
static uint64_t due_ms(struct dispatcher *dispatcher, const struct pending_list *list)
{
	const struct pending *first = TAILQ_FIRST(list);

	return first ? first->since_ms + patience_ms(dispatcher, &first->head) : UINT64_MAX;
}

/* Close the connections of proxies that have timed out. Samples are submitted instead. */
static void end_slow_ones(struct dispatcher *dispatcher, const struct pending_list *list)
{
	uint64_t now = clock_ms();

	while (due_ms(dispatcher, list) <= now) {
		struct pending *first = TAILQ_FIRST(list);
		struct connection_head head = first->head;

		epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, head.fd, NULL);
		dispatcher_forget(dispatcher, first);
		if (head.is_sample) {
			dispatcher_submit(dispatcher, &head);
			continue;
		}
		dispatcher_count(&dispatcher->options.counters->head_timeout);
		close(head.fd);
	}
}

/* ---- Accepting ---------------------------------------------------------------------- */

static void unwatch_listeners(struct dispatcher *dispatcher)
{
	uint32_t i;

	for (i = 0; i < dispatcher->options.fd_count; i++)
		epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, dispatcher->options.fds[i], NULL);
	dispatcher->is_paused = true;
	dispatcher->paused_ms = clock_ms();
}

/* Returns 0, or -errno: the dispatcher then pauses, and tries again after PAUSE_MS. */
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

static void dispatcher_begin(struct dispatcher *dispatcher, int fd,
			     const struct sockaddr_storage *peer)
{
	const struct dispatch_rules *rules = take_rules(dispatcher);
	struct connection_head head;

	connection_head_begin(&head, fd, (const void *)peer, rules);
	dispatch_rules_unref(rules);
	dispatcher_count(&dispatcher->options.counters->accepted);
	if (dispatcher_settle(dispatcher, &head, dispatcher_look(dispatcher, &head)))
		return;
	if (wait_for_more(dispatcher, &head))
		close(fd);
}

/* Returns false where the queue is empty, or no descriptor is left. */
static bool accept_one(struct dispatcher *dispatcher, int listener)
{
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof(peer);
	int fd = accept4(listener, (void *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		dispatcher_begin(dispatcher, fd, &peer);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		unwatch_listeners(dispatcher);
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
	uint64_t now = clock_ms(), due = due_ms(dispatcher, &dispatcher->proxies);

	if (due_ms(dispatcher, &dispatcher->samples) < due)
		due = due_ms(dispatcher, &dispatcher->samples);
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
		on_more(dispatcher, data);
}

static void finish_pending(struct dispatcher *dispatcher, const struct pending_list *list)
{
	struct pending *first;

	while ((first = TAILQ_FIRST(list))) {
		struct connection_head head = first->head;

		epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, head.fd, NULL);
		dispatcher_forget(dispatcher, first);
		if (head.must_speak)
			close(head.fd);
		else
			dispatcher_submit(dispatcher, &head);
	}
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
	end_slow_ones(dispatcher, &dispatcher->proxies);
	end_slow_ones(dispatcher, &dispatcher->samples);
}

/* Wait for the rest of heads that have come in part. */
static void await_heads(struct dispatcher *dispatcher, uint32_t patience)
{
	uint64_t until = clock_ms() + patience, now;

	epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, dispatcher->stop_fd, NULL);
	if (!dispatcher->is_paused)
		unwatch_listeners(dispatcher);
	while (dispatcher->pending_count && (now = clock_ms()) < until)
		dispatcher_turn(dispatcher, (int)(until - now));
}

/* Every connection that has been accepted is submitted or closed. */
static void dispatcher_finish(struct dispatcher *dispatcher)
{
	uint32_t patience;
	bool leaves_queues;

	pthread_mutex_lock(&dispatcher->lock);
	leaves_queues = dispatcher->leaves_queues;
	patience = dispatcher->patience_ms;
	pthread_mutex_unlock(&dispatcher->lock);
	if (leaves_queues)
		await_heads(dispatcher, patience);
	else
		accept_all(dispatcher);
	finish_pending(dispatcher, &dispatcher->proxies);
	finish_pending(dispatcher, &dispatcher->samples);
}

static void *dispatcher_run(void *context)
{
	struct dispatcher *dispatcher = context;

	if (dispatcher->options.thread_begins)
		dispatcher->options.thread_begins();
	while (!dispatcher->stopping) {
		dispatcher_turn(dispatcher, next_wait_ms(dispatcher));
		if (dispatcher->is_paused && dispatcher->paused_ms + PAUSE_MS <= clock_ms())
			(void)watch_listeners(dispatcher); /* on failure it pauses once more */
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

/*
 * Signals are handled by the event loop alone: the new thread inherits a mask that blocks all of
 * them.
 */
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

static void free_dispatcher(struct dispatcher *dispatcher)
{
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

static void end_thread(struct dispatcher *dispatcher)
{
	uint64_t one = 1;
	ssize_t written = write(dispatcher->stop_fd, &one, sizeof(one));

	(void)written;
	pthread_join(dispatcher->thread, NULL);
	free_dispatcher(dispatcher);
}

void dispatcher_stop(struct dispatcher *dispatcher)
{
	if (dispatcher)
		end_thread(dispatcher);
}

void dispatcher_leave(struct dispatcher *dispatcher, uint32_t patience_ms)
{
	/* The thread reads these two in dispatcher_finish(). */
	pthread_mutex_lock(&dispatcher->lock);
	dispatcher->leaves_queues = true;
	dispatcher->patience_ms = patience_ms;
	pthread_mutex_unlock(&dispatcher->lock);
	end_thread(dispatcher);
}
