// SPDX-License-Identifier: MIT
/* Lives are stepped through pool.h's table, and the actions that follow are done. */
#include "supervise/lives.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/timer.h"
#include "common/clock.h"
#include "common/privilege.h"
#include "common/log.h"

_Static_assert(CONFIG_RESTART_LIMIT_MAX < POOL_DEATHS_MAX, "as many as are remembered");

/* ---- Words for the journal ------------------------------------------------------- */

json_t *life_fields(const struct worker *worker)
{
	json_t *fields = json_pack("{s:i, s:s, s:I}", "slot", (int)worker->slot->index, "state",
				   pool_state_name(worker->state), "generation",
				   (json_int_t)worker->generation);
	pid_t pid = pid_of(worker);

	if (pid)
		json_object_set_new(fields, "pid", json_integer(pid));
	return fields;
}

void life_note_state(const struct worker *worker, const char *event)
{
	json_t *fields = life_fields(worker);

	if (event) {
		json_object_set_new(fields, "on", json_string(event));
		json_object_set_new(fields, "after_ms",
				    json_integer((json_int_t)(clock_ms() - worker->started_ms)));
	}
	journal_add(supervisor_of(worker)->options.journal, STICKY_LOG_INFO, "worker_state",
		    fields);
}

/* ---- Which list a worker is in ---------------------------------------------------- */

/* A life is cut off in what it does. */
void slot_note_killed(struct slot_state *slot)
{
	slot->killed++;
	slot_note(slot);
}

static void end_older(struct slot_state *slot, const struct worker *worker)
{
	struct worker *older = slot->draining, *next;

	for (; older; older = next) {
		next = older->next_draining;
		if (older == worker)
			continue;
		slot_note_killed(slot);
		life_apply(older, WORKER_MUST_END);
	}
}

/* A life that waited beside its predecessor is the slot's only one by now. */
static void promote_next(struct slot_state *slot)
{
	if (slot->current || !slot->next)
		return;
	slot->current = slot->next;
	slot->next = NULL;
}

static void move_to_draining(struct worker *worker)
{
	struct slot_state *slot = worker->slot;

	if (slot->current == worker)
		slot->current = NULL;
	if (slot->next == worker)
		slot->next = NULL;
	worker->next_draining = slot->draining;
	slot->draining = worker;
	promote_next(slot);
}

void life_forget(struct worker *worker)
{
	struct slot_state *slot = worker->slot;
	struct worker **link = &slot->draining;

	if (slot->current == worker)
		slot->current = NULL;
	if (slot->next == worker)
		slot->next = NULL;
	while (*link && *link != worker)
		link = &(*link)->next_draining;
	if (*link)
		*link = worker->next_draining;
	promote_next(slot);
}

/* The one place that writes a worker's state. */
static void set_state(struct worker *worker, enum worker_state next, enum worker_event event)
{
	bool begins_to_drain = next == WORKER_DRAINING && worker->state != WORKER_DRAINING;

	if (next == worker->state)
		return;
	worker->state = next;
	if (worker->record)
		worker->record->state = next;
	life_note_state(worker, pool_event_name(event));
	if (begins_to_drain)
		move_to_draining(worker);
}

/* ---- Actions ---------------------------------------------------------------------- */

void supervisor_hold(struct supervisor *supervisor, uint32_t slot)
{
	if (!supervisor->stopping && hold_timeout_watch(supervisor->standin, slot))
		report(STICKY_LOG_ERROR, "standin_failed", "slot=%u error=\"%s\"", slot,
		       strerror(ENOMEM));
}

/* Once: all slots have been ready. */
static void note_started(struct supervisor *supervisor)
{
	if (supervisor->has_started || !supervisor_has_started(supervisor))
		return;
	supervisor->has_started = true;
	journal_add(supervisor->options.journal, STICKY_LOG_INFO, "started",
		    json_pack("{s:i, s:I}", "slots", (int)supervisor->slot_count, "after_ms",
			      (json_int_t)(clock_ms() - supervisor->started_ms)));
}

/* It has the slot by now: what the slot was waiting for has come. */
static void note_has_slot(struct worker *worker)
{
	struct slot_state *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;

	sticky_slot_set_away(supervisor->options.group, slot->index, false);
	supervisor_flush_later(supervisor);
	if (worker->watchdog)
		timer_start(worker->watchdog, worker->watchdog_ms);
	if (!slot->was_ready)
		supervisor->started_count++;
	slot->was_ready = true;
	note_started(supervisor);
	orders_note_ready(slot);
}

static void take_slot(struct worker *worker)
{
	struct slot_state *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;
	struct worker *former = slot->current == worker ? NULL : slot->current;
	int error;

	event_del(worker->timer);
	if (!life_channel_speaks(worker)) {
		worker->takes_none = true;
		runner_of(worker)->ops->kill(worker->run);
		return;
	}
	hold_timeout_unwatch(supervisor->standin, slot->index);
	life_restore_backlog(worker);
	error = sticky_worker_ready(worker->life);
	if (error) {
		/* It closed or shut its socket: it can't serve. Its exit counts as a failed start.
		 */
		report(STICKY_LOG_ERROR, "slot_refused",
		       "slot=%u pid=%d error=\"%s\" hint=\"the worker does not listen on what it "
		       "was given\"",
		       slot->index, pid_of(worker), strerror(-error));
		supervisor_hold(supervisor, slot->index);
		worker->is_deaf = true;
		runner_of(worker)->ops->kill(worker->run);
		return;
	}
	worker->has_slot = true;
	/* Not before: a predecessor keeps both kinds of connections where this one fails. */
	life_channel_take_slot(worker);
	life_watch_sockets(worker, true);
	slot->current = worker;
	if (slot->next == worker)
		slot->next = NULL;
	if (former) {
		former->has_slot = false;
		life_apply(former, WORKER_SUPERSEDED);
	}
	note_has_slot(worker);
}

void life_watch_sockets(struct worker *worker, bool watch)
{
	struct hangup *hangup = supervisor_of(worker)->hangup;
	uint32_t i;
	int fd, error;

	for (i = 0; worker->life && (fd = sticky_worker_fd(worker->life, i)) >= 0; i++) {
		error = 0;
		if (watch)
			error = hangup_add(hangup, fd, worker);
		else
			hangup_remove(hangup, fd);
		if (error)
			report(STICKY_LOG_WARN, "socket_not_watched", "slot=%u error=\"%s\"",
			       worker->slot->index, strerror(-error));
	}
}

void life_on_hangup(void *who)
{
	struct worker *worker = who;

	life_watch_sockets(worker, false);
	report(STICKY_LOG_ERROR, "socket_ended", "slot=%u pid=%d so=\"the worker is replaced\"",
	       worker->slot->index, pid_of(worker));
	worker->is_deaf = true;
	/* As one that has fallen silent: it can't be told to come back. */
	life_apply(worker, WORKER_FELL_SILENT);
}

/* The table first, at the end of this turn; then the sockets, whose queues go by it. */
static int leave_later(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);
	struct leaving *leaving = malloc(sizeof(*leaving));

	if (!leaving)
		return -ENOMEM;
	*leaving = (struct leaving){
		.next = supervisor->leaving, .life = worker->life, .slot = worker->slot->index};
	supervisor->leaving = leaving;
	sticky_slot_set_away(supervisor->options.group, worker->slot->index, true);
	supervisor_flush_later(supervisor);
	return 0;
}

static void leave_slot(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);
	bool spills = worker->has_slot && supervisor->config->when_down == WHEN_DOWN_SPILL &&
		      !supervisor->stopping;
	unsigned int previous;

	if (!worker->life)
		return;
	life_watch_sockets(worker, false);
	life_channel_leave_slot(worker);
	if (!spills || leave_later(worker)) {
		previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
		/* Reported by the library, where it could not be held by fresh sockets. */
		sticky_worker_close(worker->life);
		privilege_restore(previous);
		if (worker->has_slot && worker->slot->mode != SLOT_REMOVED)
			supervisor_hold(supervisor, worker->slot->index);
	}
	worker->life = NULL;
	worker->has_slot = false;
}

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

static void stop_politely(struct worker *worker)
{
	if (runner_of(worker)->ops->stop(worker->run))
		supervisor_worker_told(worker);
}

void supervisor_worker_told(struct worker *worker)
{
	worker->was_told = true;
	if (worker->record)
		worker->record->was_told = true;
}

void life_apply(struct worker *worker, enum worker_event event)
{
	struct worker_step step = pool_step(worker->state, event);
	struct supervisor *supervisor = supervisor_of(worker);
	struct slot_state *slot = worker->slot;
	const struct runner_ops *ops = supervisor->options.runner.ops;

	set_state(worker, step.next, event);
	if (step.actions & ACTION_TAKE_SLOT)
		take_slot(worker);
	if (step.actions & ACTION_LEAVE_SLOT)
		leave_slot(worker);
	if (step.actions & ACTION_STOP_POLITELY)
		stop_politely(worker);
	if (step.actions & ACTION_START_DEADLINE) {
		timer_start(worker->timer, supervisor->config->hard_shutdown_delay_ms);
		/* At most one draining life a slot; but in a stop all have the same deadline. */
		if (!supervisor->stopping)
			end_older(slot, worker);
	}
	if (step.actions & ACTION_KILL && worker->run)
		ops->kill(worker->run);
	if (step.actions & ACTION_REPLACE)
		slot_fill(slot);
	if (step.actions & ACTION_RESTART)
		slot_schedule_restart(slot, clock_ms() - worker->started_ms);
}
