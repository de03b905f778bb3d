// SPDX-License-Identifier: MIT
#include "supervise/worker_timers.h"

#include <errno.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/unused_sockets.h"
#include "supervise/worker_channel.h"

/*
 * Returns true if a STARTING worker counts as ready after --min-uptime. It does not if it announces
 * when it is ready: it has sent a notification, or other workers of this instance have done so.
 */
static bool is_ready_by_uptime(const struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);

	/*
	 * With --ready=started a worker is ready when its program begins: see worker_started().
	 * This worker should also have announced that it takes passed connections
	 * (worker_channel.c), but has not done so yet.
	 */
	if (supervisor->config->ready == READY_STARTED)
		return true;
	/*
	 * Node.js always says when it listens. A program for sticky-listen does not: its first
	 * message only says that it runs.
	 */
	if (config_is_node(supervisor->config) &&
	    (config_worker_mode(supervisor->config) != WORKER_STICKY_LISTEN || !worker->begun_ms))
		return false;
	/* With --worker=bind it is known when the worker listens. */
	if (config_worker_mode(supervisor->config) == WORKER_BIND)
		return false;
	return supervisor->config->ready == READY_AUTO && !worker->speaks &&
	       !supervisor->workers_speak;
}

void worker_start_ready_timer(struct worker *worker)
{
	const struct config *config = supervisor_of(worker)->config;
	uint64_t limit = is_ready_by_uptime(worker) ? config->timing.min_uptime_ms
						    : config->timing.ready_timeout_ms;
	uint64_t since = is_ready_by_uptime(worker) && worker->begun_ms ? worker->begun_ms
									: worker->started_ms;
	uint64_t age = clock_ms() - since;

	timer_start(worker->timer, age < limit ? limit - age : 0);
}

void worker_start_deadline(struct worker *worker)
{
	uint32_t delay_ms = supervisor_of(worker)->config->timing.hard_shutdown_delay_ms;

	worker->kill_at_ms = clock_ms() + delay_ms;
	timer_start(worker->timer, delay_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (worker->state == WORKER_DRAINING) {
		supervisor_of(worker)->killed |= supervisor_of(worker)->stopping;
		slot_note_killed(worker->slot);
		worker_apply(worker, WORKER_MUST_END);
	} else if (is_ready_by_uptime(worker)) {
		/* Nothing but the time tells that it is ready: it may not even use its sockets. */
		if (supervisor_of(worker)->config->ready != READY_STARTED)
			(void)unused_sockets_look(worker);
		worker_become_ready(worker);
	} else if (clock_ms() - worker->started_ms <
		   supervisor_of(worker)->config->timing.ready_timeout_ms) {
		/*
		 * The timer was started when it was not known yet that these workers announce when
		 * they are ready.
		 */
		worker_start_ready_timer(worker);
	} else {
		worker_end_because(worker, worker_channel_speaks(worker)
						   ? END_NOT_READY
						   : END_TAKES_NO_CONNECTIONS);
		worker_apply(worker, WORKER_TIMED_OUT);
	}
}

/* Report that --watchdog can't watch these workers, which are not killed: they may be healthy. */
static void note_unwatched(const struct worker *worker)
{
	json_t *fields = worker_fields(worker);

	supervisor_of(worker)->watchdog_was_said = true;
	json_object_set_new(fields, "so",
			    json_string("no worker has sent WATCHDOG=1: they are watched from the "
					"first one on"));
	json_object_set_new(fields, "hint",
			    json_string("--hang-timeout with --on-hang=restart watches servers "
					"that send none"));
	supervisor_note(supervisor_of(worker), STICKY_LOG_WARN, "watchdog_not_used", fields);
}

static void on_silence(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	/* A worker that drains need not send WATCHDOG=1 any more. */
	if (worker->state != WORKER_READY)
		return;
	if (!supervisor_of(worker)->workers_send_alive) {
		if (!supervisor_of(worker)->watchdog_was_said)
			note_unwatched(worker);
		return;
	}
	worker_end_because(worker, END_SILENT);
	worker_apply(worker, WORKER_FELL_SILENT);
}

void worker_start_watchdog(struct worker *worker)
{
	if (worker->watchdog && worker->state == WORKER_READY)
		timer_start(worker->watchdog, worker->watchdog_ms);
}

/* From now on all workers are watched. The time of some of them may be over already. */
static void watch_all(struct supervisor *supervisor)
{
	uint32_t i;

	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (supervisor->slots[i] && supervisor->slots[i]->current)
			worker_start_watchdog(supervisor->slots[i]->current);
}

void worker_note_alive(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);

	worker->sent_alive = true;
	if (supervisor->workers_send_alive)
		return;
	supervisor->workers_send_alive = true;
	if (supervisor->options.state_file->content)
		supervisor->options.state_file->content->workers_send_alive = true;
	watch_all(supervisor);
}

static void on_lifetime(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (worker->slot->current == worker && worker->state == WORKER_READY)
		supervisor_of(worker)->hooks->wants_recycle(worker->slot, "--max-lifetime");
}

int worker_make_timers(struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);
	struct event_base *base = supervisor->options.base;
	uint32_t random = 0;

	worker->timer = evtimer_new(base, on_timer, worker);
	if (!worker->timer)
		return -ENOMEM;
	if (worker->watchdog_ms) {
		worker->watchdog = evtimer_new(base, on_silence, worker);
		if (!worker->watchdog)
			return -ENOMEM;
	}
	if (supervisor->config->reload.max_lifetime_ms) {
		worker->lifetime = evtimer_new(base, on_lifetime, worker);
		if (!worker->lifetime)
			return -ENOMEM;
		/*
		 * Without a random number all workers reach their age together, and are replaced
		 * one after the other.
		 */
		if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
			random = 0;
		timer_start(worker->lifetime,
			    restart_age_ms(supervisor->config->reload.max_lifetime_ms, random));
	}
	return 0;
}
