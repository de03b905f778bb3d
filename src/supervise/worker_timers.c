// SPDX-License-Identifier: MIT
#include "supervise/worker_timers.h"

#include <errno.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"

#define QUEUE_LOOK_MS 20 /* at a stop: how often a queue that is being served is looked at */

/* One that has spoken, or whose predecessors did, gets the time that it asks for. */
static bool is_ready_by_uptime(const struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);

	/* One that was to say that it takes passed connections, see worker_channel.c, and has not.
	 */
	if (supervisor->config->ready == READY_STARTED)
		return true;
	/* Node.js always speaks, but for what was written for sticky-listen; and that does so once.
	 */
	if (config_is_node(supervisor->config) &&
	    (config_worker_mode(supervisor->config) != WORKER_STICKY_LISTEN || !worker->begun_ms))
		return false;
	return supervisor->config->ready == READY_AUTO && !worker->speaks &&
	       !supervisor->workers_speak;
}

/* How long a STARTING worker may still take, in the mode that it is in by now. */
void worker_start_ready_timer(struct worker *worker)
{
	const struct config *config = supervisor_of(worker)->config;
	uint64_t limit =
		is_ready_by_uptime(worker) ? config->min_uptime_ms : config->ready_timeout_ms;
	uint64_t since = is_ready_by_uptime(worker) && worker->begun_ms ? worker->begun_ms
									: worker->started_ms;
	uint64_t age = clock_ms() - since;

	timer_start(worker->timer, age < limit ? limit - age : 0);
}

/* At a stop what waits in its queue is served first, as long as the deadline allows. */
static void look_at_queue(struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);
	uint64_t deadline = supervisor->stop_at_ms + supervisor->config->hard_shutdown_delay_ms;

	if ((sticky_worker_queue(worker->sockets) || worker_channel_queue(worker)) &&
	    clock_ms() < deadline)
		timer_start(worker->timer, QUEUE_LOOK_MS);
	else
		worker_apply(worker, WORKER_ASKED_TO_STOP);
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
	} else if (worker->state == WORKER_READY) {
		look_at_queue(worker);
	} else if (is_ready_by_uptime(worker)) {
		worker_become_ready(worker);
	} else if (clock_ms() - worker->started_ms <
		   supervisor_of(worker)->config->ready_timeout_ms) {
		/* Set when it was not known yet that these workers say so themselves. */
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
	/* One that drains owes us no sign any more. */
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
	if (supervisor->config->max_lifetime_ms) {
		worker->lifetime = evtimer_new(base, on_lifetime, worker);
		if (!worker->lifetime)
			return -ENOMEM;
		/* Where there is none all lives end together: no harm but the bunching. */
		if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
			random = 0;
		timer_start(worker->lifetime,
			    restart_age_ms(supervisor->config->max_lifetime_ms, random));
	}
	return 0;
}
