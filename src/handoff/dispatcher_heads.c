// SPDX-License-Identifier: MIT
/* Finds the client in the heads of accepted connections, and waits for the rest of heads. */
#include "handoff/dispatcher_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"

/*
 * The time that the dispatcher waits for the head of a sample. A proxy sends its head at once. A
 * client of a server that speaks first (SMTP) sends nothing, and is delayed by the whole of this
 * time.
 */
#define SAMPLE_PATIENCE_MS 200

/* ---- A connection whose head was read ----------------------------------------------- */

static void dispatcher_notify(const struct dispatcher *dispatcher,
			      const struct connection_head *head, enum dispatch_notice notice)
{
	dispatcher->options.notice(dispatcher->options.context, notice, &head->peer.any, head->why);
}

static void notify_of_known(const struct dispatcher *dispatcher, const struct connection_head *head)
{
	if (head->keeps_alive)
		dispatcher_notify(dispatcher, head, DISPATCH_KEEPS_ALIVE);
	if (head->is_untrusted_word)
		dispatcher_notify(dispatcher, head, DISPATCH_UNTRUSTED_HEADER);
	if (head->is_too_long)
		dispatcher_notify(dispatcher, head, DISPATCH_HEAD_TOO_LONG);
}

static void dispatcher_submit(const struct dispatcher *dispatcher,
			      const struct connection_head *head)
{
	const struct delivery_item item = {
		.fd = head->fd, .source = head->source, .client = head->client};

	if (delivery_submit(dispatcher->options.delivery, &item))
		exits_close(head->fd, &dispatcher->options.exits->no_memory);
}

/*
 * Submit or close a connection whose head was read. Returns false if the head is not complete yet.
 */
static bool dispatcher_settle(struct dispatcher *dispatcher, struct connection_head *head,
			      enum connection_head_state state)
{
	struct dispatch_counters *counters = dispatcher->options.counters;

	switch (state) {
	case CONNECTION_HEAD_MORE:
		return false;
	case CONNECTION_HEAD_KNOWN:
		notify_of_known(dispatcher, head);
		dispatcher_submit(dispatcher, head);
		return true;
	case CONNECTION_HEAD_BAD:
		dispatcher_notify(dispatcher, head, DISPATCH_BAD_HEADER);
		exits_close(head->fd, &counters->bad_header);
		break;
	case CONNECTION_HEAD_GONE:
		exits_close(head->fd, &counters->client_gone);
		break;
	}
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
 * Wait for more bytes of a head. The event is edge-triggered (EPOLLET): bytes that were only peeked
 * at stay in the socket, and must not be reported again.
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
 * Free a pending connection. The caller must take the descriptor out of the epoll set before, if
 * the descriptor is passed to another process.
 */
static void dispatcher_forget(struct dispatcher *dispatcher, struct pending *pending)
{
	TAILQ_REMOVE(list_of(dispatcher, &pending->head), pending, in_order);
	set_pending_count(dispatcher, dispatcher->pending_count - 1);
	free(pending);
}

void dispatcher_heads_begin(struct dispatcher *dispatcher, int fd,
			    const struct sockaddr_storage *peer)
{
	const struct dispatch_rules *rules = take_rules(dispatcher);
	struct connection_head head;

	connection_head_begin(&head, fd, (const void *)peer, rules);
	dispatch_rules_unref(rules);
	if (dispatcher_settle(dispatcher, &head, dispatcher_look(dispatcher, &head)))
		return;
	if (wait_for_more(dispatcher, &head))
		exits_close(fd, &dispatcher->options.exits->no_memory);
}

void dispatcher_heads_look_again(struct dispatcher *dispatcher, struct pending *pending)
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

uint64_t dispatcher_heads_due_ms(struct dispatcher *dispatcher)
{
	uint64_t proxies = due_ms(dispatcher, &dispatcher->proxies);
	uint64_t samples = due_ms(dispatcher, &dispatcher->samples);

	return samples < proxies ? samples : proxies;
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
		exits_close(head.fd, &dispatcher->options.counters->head_timeout);
	}
}

void dispatcher_heads_end_slow(struct dispatcher *dispatcher)
{
	end_slow_ones(dispatcher, &dispatcher->proxies);
	end_slow_ones(dispatcher, &dispatcher->samples);
}

static void finish_pending(struct dispatcher *dispatcher, const struct pending_list *list)
{
	struct pending *first;

	while ((first = TAILQ_FIRST(list))) {
		struct connection_head head = first->head;

		epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, head.fd, NULL);
		dispatcher_forget(dispatcher, first);
		if (head.must_speak)
			exits_close(head.fd, &dispatcher->options.exits->stop);
		else
			dispatcher_submit(dispatcher, &head);
	}
}

void dispatcher_heads_finish(struct dispatcher *dispatcher)
{
	finish_pending(dispatcher, &dispatcher->proxies);
	finish_pending(dispatcher, &dispatcher->samples);
}

static int leave_pending(struct dispatcher *dispatcher, const struct pending_list *list,
			 struct carried *carried)
{
	struct pending *first;
	int error = 0, result;

	while ((first = TAILQ_FIRST(list))) {
		const struct carried_connection connection = {.item.fd = first->head.fd};

		epoll_ctl(dispatcher->poll_fd, EPOLL_CTL_DEL, connection.item.fd, NULL);
		dispatcher_forget(dispatcher, first);
		result = carried_add(carried, &connection);
		if (result) {
			exits_close(connection.item.fd, &dispatcher->options.exits->no_memory);
			error = result;
		}
	}
	return error;
}

int dispatcher_heads_leave(struct dispatcher *dispatcher, struct carried *carried)
{
	int proxies = leave_pending(dispatcher, &dispatcher->proxies, carried);
	int samples = leave_pending(dispatcher, &dispatcher->samples, carried);

	return proxies ? proxies : samples;
}
