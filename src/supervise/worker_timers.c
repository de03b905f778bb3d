// SPDX-License-Identifier: MIT
#include "supervise/worker_timers.h"

#include <errno.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
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

static void on_silence(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	/* A worker that drains need not send WATCHDOG=1 any more. */
	if (worker->state != WORKER_READY)
		return;
	worker_end_because(worker, END_SILENT);
	worker_apply(worker, WORKER_FELL_SILENT);
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
