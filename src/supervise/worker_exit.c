// SPDX-License-Identifier: MIT
/* How a worker ends, and the consequences for its slot. */
#include "supervise/worker_exit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/sanitize.h"
#include "common/timer.h"
#include "supervise/kept_sockets.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_start.h"

#define LAST_LINES_SIZE 2048

_Static_assert(CONFIG_RESTART_LIMIT_MAX < RESTART_DEATHS_MAX, "as many as are remembered");

void slot_schedule_restart(struct supervised_slot *slot, uint64_t lifetime_ms)
{
	struct supervisor *supervisor = slot->supervisor;
	const struct config *config = supervisor->config;

	if (supervisor->stopping || slot->mode != SLOT_ENABLED || slot->current)
		return;
	if (restart_note_death(&slot->deaths, clock_ms(), config->restart_limit.count,
			       config->restart_limit.period_ms)) {
		slot_set_mode(slot, SLOT_FAILED);
		journal_add(supervisor->options.journal, STICKY_LOG_ERROR, "slot_failed",
			    json_pack("{s:i, s:s}", "slot", (int)slot->index, "why",
				      "more deaths than --restart-limit; restart or reload it"));
		return;
	}
	slot->delay_ms =
		restart_delay_ms(slot->delay_ms, lifetime_ms, config->timing.min_uptime_ms);
	slot->restart_at_ms = clock_ms() + slot->delay_ms;
	timer_start(slot->restart, slot->delay_ms);
}

/*
 * Returns true if the worker may have ended because it was given no listening socket: connections
 * are passed here, and it has not announced that it takes them. Its own message would not tell the
 * reason.
 */
static bool missed_sockets(const struct worker *worker)
{
	return worker->state == WORKER_STARTING && worker->sockets && !worker_has_sockets(worker) &&
	       worker->slot->private_fd < 0 && worker->channel &&
	       !channel_endpoint_speaks(worker->channel);
}

/* Returns true if a server ended before its bind() told which address it wants. It may need -l. */
static bool is_about_its_address(const struct worker *worker)
{
	const struct config *config = supervisor_of(worker)->config;

	return worker->state == WORKER_STARTING && !config->listen.count &&
	       config_worker_mode(config) == WORKER_BIND;
}

/* Did a worker end as another process has the address that it wanted to bind? */
static bool says_address_in_use(const struct worker *worker)
{
	static const char *const words[] = {"Address already in use", "EADDRINUSE",
					    "address already in use", "bind() failed (98"};
	char lines[LAST_LINES_SIZE] = "";
	size_t i;

	if (!worker->handle || config_is_node(supervisor_of(worker)->config))
		return false;
	backend_of(worker)->ops->last_lines(worker->handle, sizeof(lines), lines);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(lines, words[i]))
			return true;
	return false;
}

/*
 * Returns what the user can do about an address that is in use. With --worker=bind a listener's
 * address never is: it is another one, which each worker binds for itself.
 */
static const char *in_use_hint(const struct config *config)
{
	if (config_worker_mode(config) == WORKER_BIND)
		return "each worker binds this address: name it by another -l, or give each worker "
		       "its own, e.g. by --env METRICS_PORT=90{slot}";
	return "each worker binds this address: a server that binds its address itself wants "
	       "--worker=bind, and the address by -l";
}

/* Returns the option by which connections are passed to workers here. */
static const char *passed_by(const struct config *config)
{
	if (config->proxy.behind == BEHIND_PROXY_XFF)
		return "--behind-proxy=xff";
	if (config->proxy.behind == BEHIND_PROXY_PROXY)
		return "--behind-proxy=proxy";
	return "steering by user";
}

/*
 * Complete the description of a worker's end. If the supervisor ended the worker, the supervisor's
 * reason replaces the name of the signal.
 */
static void describe_end(const struct worker *worker, struct run_exit *how)
{
	const struct config *config = supervisor_of(worker)->config;
	const struct end_facts facts = {
		.ready_timeout_ms = config->timing.ready_timeout_ms,
		.watchdog_ms = worker->watchdog_ms,
		.sent_alive = worker->sent_alive,
		.hang_timeout_ms = config->timing.hang_timeout_ms,
		.passed_by = passed_by(config),
		.not_ready_reason = worker->not_ready_reason,
		.not_ready_hint = worker->not_ready_hint,
	};
	const char *hint;

	if (worker->end_reason != END_NONE) {
		hint = end_reason_describe(worker->end_reason, &facts, sizeof(how->text),
					   how->text);
		how->hint = hint ? hint : how->hint;
	} else if (!how->hint && is_about_its_address(worker)) {
		how->hint = worker->not_ready_hint;
	} else if (!how->hint && !how->ok && says_address_in_use(worker)) {
		how->hint = in_use_hint(config);
	} else if (!how->hint && missed_sockets(worker)) {
		how->hint = "steering by user gives it no listening socket, its connections are "
			    "passed: it wants sticky_process_open() of libsticky; or CAP_BPF, or "
			    "--slot-listen";
	}
}

static void note_exit(struct worker *worker, const struct run_exit *how)
{
	struct supervised_slot *slot = worker->slot;
	uint64_t lifetime = clock_ms() - worker->started_ms;
	bool unasked = worker->state != WORKER_DRAINING;
	json_t *fields = worker_fields(worker);

	slot->has_exit = true;
	slot->last_exit = *how;
	slot->last_lifetime_ms = lifetime;
	slot->last_generation = worker->generation;
	if (!slot->was_ready)
		slot->first_worker_failed = true;
	json_object_set_new(fields, "how", json_string(how->text));
	if (how->hint)
		json_object_set_new(fields, "hint", json_string(how->hint));
	json_object_set_new(fields, "after_ms", json_integer((json_int_t)lifetime));
	journal_add(slot->supervisor->options.journal, unasked ? STICKY_LOG_WARN : STICKY_LOG_INFO,
		    "worker_exit", fields);
}

/*
 * Begin the slot's next worker if it had to wait until this one ended: with
 * --reload-order=old-first, or because too many workers were draining.
 */
static void begin_successor(struct supervised_slot *slot)
{
	bool begins = slot->waits_for_room;

	if (slot->begin_after_exit && !slot->draining) {
		slot->begin_after_exit = false;
		begins = true;
	}
	if (begins)
		slot_fill(slot);
}

void worker_exited(struct worker *worker, const struct run_exit *exit)
{
	struct supervised_slot *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;
	bool was_starting = worker->state == WORKER_STARTING;
	struct run_exit how = *exit;

	describe_end(worker, &how);
	text_clean_line(how.text);
	note_exit(worker, &how);
	slot_forget_worker(worker);
	supervisor->worker_count--;
	worker_apply(worker, WORKER_EXITED);
	if (was_starting)
		supervisor->hooks->failed(slot, worker, &how);
	if (slots_all_failed_first(supervisor))
		supervisor->hooks->start_failed(supervisor, worker, &how);
	kept_sockets_look_later(supervisor->kept, worker);
	worker_free(worker);
	sticky_slot_wake(supervisor->options.group, slot->index);
	if (supervisor_shares_sockets(supervisor))
		supervised_slot_hold(supervisor, slot->index);
	begin_successor(slot);
	supervisor->hooks->gone(supervisor);
	if (!supervisor->worker_count)
		supervisor->hooks->empty(supervisor);
}
