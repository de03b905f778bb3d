// SPDX-License-Identifier: MIT
#include "node/late_listeners.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/worker_messages.h"

#define CLOSED_MS 1000 /* time after which the clients of a closed server go to other workers */

struct late_listeners {
	struct late_listeners_options options;
	struct node_listeners_watch watch;
	struct event *timer;
	uint64_t opened_ms;
	uint64_t first_ms;  /* the time when the worker first listened on a port; 0: it has not */
	uint32_t asked;	    /* listeners whose sockets the worker was given, one bit each */
	uint32_t listening; /* listeners on which it listens, one bit each */
	uint32_t wanted;    /* listeners of the slot's previous worker, one bit each */
	bool was_ready;
	/* when to give up a listener on which it does not listen; 0: not known yet */
	uint64_t due_ms[STICKY_LISTENERS_LIMIT];
};

static uint32_t bit(uint32_t listener)
{
	return 1u << listener;
}

static uint32_t lacking(const struct late_listeners *late)
{
	return node_listeners_all(late->options.ports) & ~late->asked & ~late->listening;
}

/* Does the worker have a socket at this listener? */
static bool is_served(const struct late_listeners *late, uint32_t listener)
{
	const struct sticky_worker *sockets = worker_sockets(late->options.worker);

	return sockets && sticky_worker_fd(sockets, listener) >= 0;
}

/*
 * Returns the time until which the worker may open a listener. It is before --ready-timeout, which
 * would end the worker.
 */
static uint64_t due_from(const struct late_listeners *late, uint64_t now_ms)
{
	uint64_t due_ms = now_ms + LATE_MS;
	uint64_t last_ms = late->opened_ms + late->options.ready_timeout_ms / 10 * 9;

	return late->was_ready || due_ms < last_ms ? due_ms : last_ms > now_ms ? last_ms : now_ms;
}

static void set_due_times(struct late_listeners *late, uint64_t now_ms)
{
	uint32_t left = node_listeners_all(late->options.ports) & ~late->listening, i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (left & bit(i) && !late->due_ms[i])
			late->due_ms[i] = due_from(late, now_ms);
}

static void give_up(struct late_listeners *late, uint32_t listener)
{
	char address[STICKY_ADDRESS_TEXT_SIZE] = "";
	struct worker *worker = late->options.worker;
	int error;

	if (!is_served(late, listener))
		return;
	error = worker_serve(worker, listener, false);
	if (error) {
		report(STICKY_LOG_WARN, "listener_kept", "slot=%u listener=%u error=\"%s\"",
		       worker_slot(worker), listener, strerror(-error));
		return;
	}
	node_listeners_address(late->options.ports, listener, sizeof(address), address);
	worker_lacks_listener(worker, address, (late->wanted & bit(listener)) != 0);
}

/*
 * Is the time for this listener over? A worker that follows another one serves at first only the
 * listeners of the previous worker. It serves a new one once it listens there.
 */
static bool is_over(const struct late_listeners *late, uint32_t listener, uint64_t now_ms)
{
	bool is_new = late->wanted && !(late->wanted & bit(listener)) && !late->was_ready;

	return is_new || late->due_ms[listener] <= now_ms;
}

/*
 * Give up the listeners whose time is over. A worker without any open port keeps its listeners, as
 * it may listen again.
 */
static void give_up_what_is_over(struct late_listeners *late, uint64_t now_ms)
{
	uint32_t left = late->listening ? lacking(late) : 0, i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (left & bit(i) && is_over(late, i, now_ms))
			give_up(late, i);
}

static bool is_waiting(const struct late_listeners *late, uint64_t now_ms)
{
	uint32_t left = late->wanted & ~late->listening, i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (left & bit(i) && late->due_ms[i] > now_ms)
			return true;
	return false;
}

/*
 * Make the worker READY. Its late listeners are given up before it gets the slot, as it would
 * otherwise get the queues of these listeners, too.
 */
static void say_ready(struct late_listeners *late, uint64_t now_ms)
{
	if (!late->first_ms || late->was_ready || is_waiting(late, now_ms))
		return;
	give_up_what_is_over(late, now_ms);
	worker_said(late->options.worker, WORKER_SAYS_LISTENING);
}

static void start_timer(struct late_listeners *late, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;
	uint32_t left = node_listeners_all(late->options.ports) & ~late->listening, i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (left & bit(i) && late->due_ms[i] > now_ms && late->due_ms[i] < next_ms)
			next_ms = late->due_ms[i];
	if (next_ms != UINT64_MAX)
		timer_start(late->timer, next_ms - now_ms);
}

void late_listeners_look(struct late_listeners *late)
{
	uint64_t now_ms = clock_ms();

	if (!late->first_ms || !worker_sockets(late->options.worker))
		return;
	/* The worker leaves its slot: there may be handshakes on its sockets. */
	if (late->was_ready && !worker_is_ready(late->options.worker))
		return;
	set_due_times(late, now_ms);
	say_ready(late, now_ms);
	late->was_ready |= worker_is_ready(late->options.worker);
	if (late->was_ready)
		give_up_what_is_over(late, now_ms);
	if (worker_is_ready(late->options.worker))
		node_listeners_remember(late->options.ports, worker_slot(late->options.worker),
					late->listening);
	start_timer(late, now_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	late_listeners_look(context);
}

/* Look again, as another worker has opened a port. */
static void on_added(struct node_listeners_watch *watch)
{
	late_listeners_look(watch->context);
}

void late_listeners_adopt(struct late_listeners *late, uint32_t listening)
{
	late->listening = listening;
	late->first_ms = clock_ms();
	late->was_ready = true;
	node_listeners_remember(late->options.ports, worker_slot(late->options.worker), listening);
}

void late_listeners_ask(struct late_listeners *late, uint32_t listener)
{
	late->asked |= bit(listener);
}

void late_listeners_add(struct late_listeners *late, uint32_t listener)
{
	/* For a worker that is not READY yet, this is done when it gets the slot. */
	if (worker_is_ready(late->options.worker))
		worker_restore_backlog(late->options.worker);
	late->listening |= bit(listener);
	late->due_ms[listener] = 0;
	if (!late->first_ms)
		late->first_ms = clock_ms();
	late_listeners_look(late);
}

void late_listeners_remove(struct late_listeners *late, uint32_t listener)
{
	late->asked &= ~bit(listener);
	late->listening &= ~bit(listener);
	late->due_ms[listener] = clock_ms() + CLOSED_MS;
	late_listeners_look(late);
}

int late_listeners_open(const struct late_listeners_options *options,
			struct late_listeners **ret_late)
{
	struct late_listeners *late = calloc(1, sizeof(*late));

	if (!late)
		return -ENOMEM;
	late->options = *options;
	late->opened_ms = clock_ms();
	late->wanted = node_listeners_wanted(options->ports, worker_slot(options->worker));
	late->timer = evtimer_new(options->base, on_timer, late);
	if (!late->timer) {
		free(late);
		return -ENOMEM;
	}
	late->watch = (struct node_listeners_watch){.added = on_added, .context = late};
	node_listeners_watch(options->ports, &late->watch);
	*ret_late = late;
	return 0;
}

void late_listeners_close(struct late_listeners *late)
{
	if (!late)
		return;
	node_listeners_unwatch(late->options.ports, &late->watch);
	event_free(late->timer);
	free(late);
}
