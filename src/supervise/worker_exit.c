// SPDX-License-Identifier: MIT
/* How a worker ends, and what follows for its slot. */
#include "supervise/worker_exit.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/sanitize.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_start.h"

_Static_assert(CONFIG_RESTART_LIMIT_MAX < POOL_DEATHS_MAX, "as many as are remembered");

void slot_schedule_restart(struct slot_state *slot, uint64_t lifetime_ms)
{
	struct supervisor *supervisor = slot->supervisor;
	const struct config *config = supervisor->config;

	if (supervisor->stopping || slot->mode != SLOT_ENABLED || slot->current)
		return;
	if (pool_note_death(&slot->deaths, clock_ms(), config->restart_limit.count,
			    config->restart_limit.period_ms)) {
		slot_set_mode(slot, SLOT_FAILED);
		journal_add(supervisor->options.journal, STICKY_LOG_ERROR, "slot_failed",
			    json_pack("{s:i, s:s}", "slot", (int)slot->index, "why",
				      "more deaths than --restart-limit; restart or reload it"));
		return;
	}
	slot->delay_ms = pool_restart_delay(slot->delay_ms, lifetime_ms, config->min_uptime_ms);
	slot->restart_at_ms = clock_ms() + slot->delay_ms;
	timer_start(slot->restart, slot->delay_ms);
}

/* It looked for a listening socket, perhaps, and there is none: its own words would not tell why.
 */
static bool missed_sockets(const struct worker *worker)
{
	return worker->state == WORKER_STARTING && worker->life &&
	       sticky_worker_fd(worker->life, 0) < 0 && worker->slot->private_fd < 0 &&
	       worker->channel && !channel_endpoint_speaks(worker->channel);
}

/* Why we ended it, where we did: the signal alone would not tell. */
static void describe_end(const struct worker *worker, struct run_exit *how)
{
	const struct config *config = supervisor_of(worker)->config;

	if (worker->timed_out) {
		snprintf(how->text, sizeof(how->text),
			 "did not get ready within %" PRIu32 " ms (--ready-timeout)%s%s",
			 config->ready_timeout_ms, worker->lacks[0] ? ": " : "", worker->lacks);
		how->hint = worker->lacks_hint ? worker->lacks_hint
					       : "it is waited for until it sends READY=1 to "
						 "NOTIFY_SOCKET; one that "
						 "never does wants --ready=started";
	} else if (worker->lost) {
		snprintf(how->text, sizeof(how->text), "%s", worker->lost);
	} else if (worker->takes_none) {
		snprintf(how->text, sizeof(how->text),
			 "takes no passed connections, and here they are passed (%s)",
			 config->behind_proxy == BEHIND_PROXY_XFF     ? "--behind-proxy=xff"
			 : config->behind_proxy == BEHIND_PROXY_PROXY ? "--behind-proxy=proxy"
								      : "steering by user");
		how->hint = "it wants sticky_process_open() of libsticky; or let the proxy choose "
			    "the worker, by --slot-listen";
	} else if (worker->takes_no_more) {
		snprintf(how->text, sizeof(how->text),
			 "closed the channel by which connections are passed to it");
		how->hint =
			"sticky_process_close() is for its end, behind sticky_process_stopping()";
	} else if (worker->is_deaf) {
		snprintf(how->text, sizeof(how->text),
			 "does not listen on the socket that it was given");
		how->hint = "it must accept from descriptor 3 on, and not shut it down";
	} else if (worker->fell_silent) {
		snprintf(how->text, sizeof(how->text),
			 "sent no WATCHDOG=1 for %" PRIu32 " ms (--watchdog)", worker->watchdog_ms);
	} else if (!how->hint && missed_sockets(worker)) {
		how->hint = "steering by user gives it no listening socket, its connections are "
			    "passed: it wants sticky_process_open() of libsticky; or CAP_BPF, or "
			    "--slot-listen";
	}
}

static void note_exit(struct worker *worker, const struct run_exit *how)
{
	struct slot_state *slot = worker->slot;
	uint64_t lifetime = clock_ms() - worker->started_ms;
	bool unasked = worker->state != WORKER_DRAINING;
	json_t *fields = life_fields(worker);

	slot->has_exit = true;
	slot->last_exit = *how;
	slot->last_lifetime_ms = lifetime;
	if (!slot->was_ready)
		slot->first_life_failed = true;
	json_object_set_new(fields, "how", json_string(how->text));
	json_object_set_new(fields, "after_ms", json_integer((json_int_t)lifetime));
	journal_add(slot->supervisor->options.journal, unasked ? STICKY_LOG_WARN : STICKY_LOG_INFO,
		    "worker_exit", fields);
}

/* Old-first: the slot is free for its new life. */
static void begin_successor(struct slot_state *slot)
{
	if (!slot->begin_after_exit || slot->draining)
		return;
	slot->begin_after_exit = false;
	slot_fill(slot);
}

void supervisor_worker_exited(struct worker *worker, const struct run_exit *exit)
{
	struct slot_state *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;
	/* READY without the slot: take_slot() refused it. */
	bool was_starting = worker->state == WORKER_STARTING ||
			    (worker->state == WORKER_READY && !worker->has_slot);
	struct run_exit how = *exit;

	describe_end(worker, &how);
	text_clean(how.text);
	note_exit(worker, &how);
	life_forget(worker);
	supervisor->worker_count--;
	life_apply(worker, WORKER_EXITED);
	if (was_starting)
		supervisor->hooks->failed(slot, worker, &how);
	if (supervisor_has_start_failed(supervisor))
		supervisor->hooks->start_failed(supervisor, worker, &how);
	life_free(worker);
	sticky_slot_wake(supervisor->options.group, slot->index);
	begin_successor(slot);
	supervisor->hooks->gone(supervisor);
	if (!supervisor->worker_count)
		supervisor->hooks->empty(supervisor);
}
