// SPDX-License-Identifier: MIT
#include "supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "privilege.h"
#include "report.h"
#include "units.h"

#define STATUS_SIZE	256
#define LAST_LINES_SIZE 2048

struct slot_state {
	struct supervisor *supervisor;
	uint32_t index;
	struct worker *worker;	/* the present life; NULL: waiting for the next one */
	struct event *restart;	/* runs while it waits */
	uint64_t restart_at_ms; /* by clock_ms() */
	uint32_t delay_ms;	/* before the present life; 0: it was the first one */
	bool was_ready;
	bool first_life_failed;
	struct slot_history history;
};

struct worker {
	struct slot_state *slot;
	struct sticky_worker *life;
	void *run;
	enum worker_state state; /* written by set_state() alone */
	uint64_t generation;
	uint64_t started_ms;
	struct event *timer; /* readiness while STARTING, the deadline while DRAINING */
	bool speaks;	     /* it has sent a notification */
	bool timed_out;	     /* it was killed as it did not get ready */
	char status[STATUS_SIZE];
};

struct supervisor {
	struct supervisor_options options;
	bool stopping;
	bool killed; /* somebody outlived the hard-shutdown delay */
	bool start_failed;
	bool finished;
	bool workers_speak; /* a former life became ready by a notification */
	uint32_t slot_count;
	uint32_t worker_count;
	uint32_t started_count; /* slots that have been ready */
	uint64_t started_ms;
	struct slot_state slots[];
};

static void start_life(struct slot_state *slot);
static void apply(struct worker *worker, enum worker_event event);

uint32_t worker_slot(const struct worker *worker)
{
	return worker->slot->index;
}

uint64_t worker_generation(const struct worker *worker)
{
	return worker->generation;
}

static struct supervisor *supervisor_of(const struct worker *worker)
{
	return worker->slot->supervisor;
}

static const struct runner *runner_of(const struct worker *worker)
{
	return &supervisor_of(worker)->options.runner;
}

static pid_t pid_of(const struct worker *worker)
{
	return worker->run ? runner_of(worker)->ops->pid(worker->run) : 0;
}

/* The one place that writes a worker's state. */
static void set_state(struct worker *worker, enum worker_state next, enum worker_event event)
{
	if (next == worker->state)
		return;
	worker->state = next;
	report(STICKY_LOG_INFO, "worker_state",
	       "slot=%u state=%s generation=%" PRIu64 " pid=%d on=%s after_ms=%" PRIu64,
	       worker->slot->index, pool_state_name(next), worker->generation, pid_of(worker),
	       pool_event_name(event), clock_ms() - worker->started_ms);
}

static void start_timer(struct event *timer, uint64_t ms)
{
	struct timeval delay = {.tv_sec = (time_t)(ms / 1000),
				.tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	event_add(timer, &delay);
}

/* ---- The end of everything ------------------------------------------------------ */

static enum supervisor_result result_of(const struct supervisor *supervisor)
{
	if (supervisor->start_failed)
		return SUPERVISOR_START_FAILED;
	return supervisor->killed ? SUPERVISOR_KILLED : SUPERVISOR_STOPPED;
}

static void finish_if_empty(struct supervisor *supervisor)
{
	if (!supervisor->stopping || supervisor->worker_count || supervisor->finished)
		return;
	supervisor->finished = true;
	supervisor->options.finished(supervisor->options.context, result_of(supervisor));
}

void supervisor_stop(struct supervisor *supervisor, bool now)
{
	uint32_t i;
	int error;

	if (!supervisor->stopping) {
		supervisor->stopping = true;
		privilege_raise(CAP_BPF);
		error = sticky_group_refuse(supervisor->options.group);
		privilege_lower();
		if (error)
			report(STICKY_LOG_WARN, "refuse_failed", "error=\"%s\"", strerror(-error));
	}
	for (i = 0; i < supervisor->slot_count; i++) {
		struct slot_state *slot = &supervisor->slots[i];

		event_del(slot->restart);
		if (slot->worker)
			apply(slot->worker, now ? WORKER_MUST_END : WORKER_ASKED_TO_STOP);
	}
	finish_if_empty(supervisor);
}

/* ---- Lives ---------------------------------------------------------------------- */

/* One that has spoken, or whose predecessors did, gets the time that it asks for. */
static bool is_ready_by_uptime(const struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);

	return supervisor->options.ready == READY_AUTO && !worker->speaks &&
	       !supervisor->workers_speak;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (worker->state == WORKER_DRAINING) {
		supervisor_of(worker)->killed = true;
		apply(worker, WORKER_MUST_END);
		return;
	}
	if (is_ready_by_uptime(worker)) {
		apply(worker, WORKER_BECAME_READY);
	} else {
		worker->timed_out = true;
		apply(worker, WORKER_TIMED_OUT);
	}
}

/* How long a STARTING worker may still take, in the mode that it is in by now. */
static void start_ready_timer(struct worker *worker)
{
	const struct supervisor_options *options = &supervisor_of(worker)->options;
	uint64_t limit =
		is_ready_by_uptime(worker) ? options->min_uptime_ms : options->ready_timeout_ms;
	uint64_t age = clock_ms() - worker->started_ms;

	start_timer(worker->timer, age < limit ? limit - age : 0);
}

static void free_worker(struct worker *worker)
{
	if (worker->timer)
		event_free(worker->timer);
	if (worker->run)
		runner_of(worker)->ops->release(worker->run);
	free(worker);
}

static void show_start_failure(struct supervisor *supervisor, const struct worker *worker,
			       const struct run_exit *how)
{
	char lines[LAST_LINES_SIZE] = "", age[DURATION_TEXT_SIZE];
	char *line, *rest;

	if (worker->run)
		runner_of(worker)->ops->last_lines(worker->run, sizeof(lines), lines);
	format_duration(clock_ms() - worker->started_ms, age);
	fprintf(stderr, "stickyctl: no worker got ready; slot %u, after %s: %s\n",
		worker->slot->index, age, how->text);
	if (how->hint)
		fprintf(stderr, "%s\n", how->hint);
	else if (lines[0])
		fputs("its last lines:\n", stderr);
	else
		fputs("it printed nothing; try the command by itself\n", stderr);
	for (line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		fprintf(stderr, "  | %s\n", line);
	supervisor->start_failed = true;
	supervisor_stop(supervisor, true);
}

/* The first lives of all slots ended, and none was ready: more tries would hide the reason. */
static bool has_start_failed(const struct supervisor *supervisor)
{
	uint32_t i;

	if (supervisor->started_count || supervisor->stopping)
		return false;
	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i].first_life_failed)
			return false;
	return true;
}

static void schedule_restart(struct slot_state *slot, uint64_t lifetime_ms)
{
	if (slot->supervisor->stopping)
		return;
	slot->delay_ms = pool_restart_delay(slot->delay_ms, lifetime_ms,
					    slot->supervisor->options.min_uptime_ms);
	slot->restart_at_ms = clock_ms() + slot->delay_ms;
	start_timer(slot->restart, slot->delay_ms);
}

static void on_restart(evutil_socket_t fd, short what, void *context)
{
	struct slot_state *slot = context;

	(void)fd;
	(void)what;
	slot->history.restarts++;
	start_life(slot);
}

static void take_slot(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);
	struct slot_state *slot = worker->slot;
	int error;

	event_del(worker->timer);
	privilege_raise(CAP_BPF);
	error = sticky_worker_ready(worker->life);
	privilege_lower();
	if (error) {
		/* It closed or shut its socket: it can't serve. Its exit brings the next life. */
		report(STICKY_LOG_ERROR, "slot_refused",
		       "slot=%u pid=%d error=\"%s\" hint=\"the worker does not listen on what it "
		       "was given\"",
		       slot->index, pid_of(worker), strerror(-error));
		runner_of(worker)->ops->kill(worker->run);
		return;
	}
	if (slot->was_ready)
		return;
	slot->was_ready = true;
	if (++supervisor->started_count == supervisor->slot_count)
		report(STICKY_LOG_INFO, "started", "slots=%u after_ms=%" PRIu64,
		       supervisor->slot_count, clock_ms() - supervisor->started_ms);
}

static void leave_slot(struct worker *worker)
{
	privilege_raise(CAP_BPF);
	/* Reported by the library, where it could not be held by fresh sockets. */
	sticky_worker_close(worker->life);
	privilege_lower();
	worker->life = NULL;
}

static void apply(struct worker *worker, enum worker_event event)
{
	struct worker_step step = pool_step(worker->state, event);
	struct supervisor *supervisor = supervisor_of(worker);
	const struct runner_ops *ops = supervisor->options.runner.ops;

	set_state(worker, step.next, event);
	if (step.actions & ACTION_TAKE_SLOT)
		take_slot(worker);
	if (step.actions & ACTION_STOP_POLITELY)
		ops->stop(worker->run);
	if (step.actions & ACTION_START_DEADLINE)
		start_timer(worker->timer, supervisor->options.hard_shutdown_delay_ms);
	if (step.actions & ACTION_KILL && worker->run)
		ops->kill(worker->run);
	if (step.actions & ACTION_LEAVE_SLOT)
		leave_slot(worker);
	if (step.actions & ACTION_RESTART)
		schedule_restart(worker->slot, clock_ms() - worker->started_ms);
}

static void note_exit(struct worker *worker, const struct run_exit *how)
{
	struct slot_state *slot = worker->slot;
	uint64_t lifetime = clock_ms() - worker->started_ms;
	bool unasked = worker->state == WORKER_STARTING || worker->state == WORKER_READY;

	slot->history.has_exit = true;
	slot->history.last_exit = *how;
	slot->history.last_lifetime_ms = lifetime;
	if (!slot->was_ready)
		slot->first_life_failed = true;
	report(unasked ? STICKY_LOG_WARN : STICKY_LOG_INFO, "worker_exit",
	       "slot=%u generation=%" PRIu64 " pid=%d how=\"%s\" after_ms=%" PRIu64, slot->index,
	       worker->generation, pid_of(worker), how->text, lifetime);
}

void supervisor_worker_exited(struct worker *worker, const struct run_exit *exit)
{
	struct slot_state *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;
	struct run_exit how = *exit;

	if (worker->timed_out)
		snprintf(how.text, sizeof(how.text),
			 "did not get ready within %" PRIu32 " ms (--ready-timeout)",
			 supervisor->options.ready_timeout_ms);
	note_exit(worker, &how);
	slot->worker = NULL;
	supervisor->worker_count--;
	apply(worker, WORKER_EXITED);
	if (has_start_failed(supervisor))
		show_start_failure(supervisor, worker, &how);
	free_worker(worker);
	finish_if_empty(supervisor);
}

void supervisor_worker_started(struct worker *worker)
{
	if (supervisor_of(worker)->options.ready == READY_STARTED)
		apply(worker, WORKER_BECAME_READY);
}

void supervisor_worker_spoke(struct worker *worker, bool is_ready)
{
	worker->speaks = true;
	if (worker->state != WORKER_STARTING)
		return;
	if (!is_ready) {
		start_ready_timer(worker);
		return;
	}
	supervisor_of(worker)->workers_speak = true;
	apply(worker, WORKER_BECAME_READY);
}

void supervisor_worker_status(struct worker *worker, const char *status)
{
	snprintf(worker->status, sizeof(worker->status), "%s", status);
}

/* A life that could not even begin counts as one that ended at once. */
static void fail_life(struct slot_state *slot, struct worker *worker, int error)
{
	struct run_exit how = {.code = -1, .hint = "see 'stickyctl doctor'"};

	snprintf(how.text, sizeof(how.text), "could not be started: %s", strerror(-error));
	report(STICKY_LOG_ERROR, "worker_start_failed", "slot=%u error=\"%s\"", slot->index,
	       strerror(-error));
	slot->worker = worker;
	slot->supervisor->worker_count++;
	supervisor_worker_exited(worker, &how);
}

static int begin(struct slot_state *slot, struct worker *worker)
{
	const struct supervisor_options *options = &slot->supervisor->options;
	int error;

	worker->timer = evtimer_new(options->base, on_timer, worker);
	if (!worker->timer)
		return -ENOMEM;
	privilege_raise(CAP_NET_BIND_SERVICE);
	error = sticky_worker_open(options->group, slot->index, &worker->life);
	privilege_lower();
	if (error)
		return error;
	worker->generation = sticky_worker_generation(worker->life);
	return options->runner.ops->start(options->runner.context, worker, worker->life,
					  &worker->run);
}

static void start_life(struct slot_state *slot)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int error;

	if (!worker) {
		report(STICKY_LOG_ERROR, "worker_start_failed", "slot=%u error=\"%s\"", slot->index,
		       strerror(ENOMEM));
		schedule_restart(slot, 0);
		return;
	}
	worker->slot = slot;
	worker->started_ms = clock_ms();
	error = begin(slot, worker);
	if (error) {
		fail_life(slot, worker, error);
		return;
	}
	slot->worker = worker;
	slot->supervisor->worker_count++;
	report(STICKY_LOG_INFO, "worker_state", "slot=%u state=%s generation=%" PRIu64 " pid=%d",
	       slot->index, pool_state_name(worker->state), worker->generation, pid_of(worker));
	start_ready_timer(worker);
}

void supervisor_start(struct supervisor *supervisor)
{
	uint32_t i;

	supervisor->started_ms = clock_ms();
	for (i = 0; i < supervisor->slot_count && !supervisor->stopping; i++)
		start_life(&supervisor->slots[i]);
}

/* ---- Opening, closing, looking -------------------------------------------------- */

int supervisor_open(const struct supervisor_options *options, struct supervisor **ret_supervisor)
{
	uint32_t count = sticky_group_slots(options->group), i;
	struct supervisor *supervisor =
		calloc(1, sizeof(*supervisor) + count * sizeof(supervisor->slots[0]));

	if (!supervisor)
		return -ENOMEM;
	supervisor->options = *options;
	supervisor->slot_count = count;
	for (i = 0; i < count; i++) {
		struct slot_state *slot = &supervisor->slots[i];

		slot->supervisor = supervisor;
		slot->index = i;
		slot->restart = evtimer_new(options->base, on_restart, slot);
		if (!slot->restart) {
			supervisor_close(supervisor);
			return -ENOMEM;
		}
	}
	*ret_supervisor = supervisor;
	return 0;
}

void supervisor_close(struct supervisor *supervisor)
{
	uint32_t i;

	if (!supervisor)
		return;
	for (i = 0; i < supervisor->slot_count; i++)
		if (supervisor->slots[i].restart)
			event_free(supervisor->slots[i].restart);
	free(supervisor);
}

bool supervisor_is_stopping(const struct supervisor *supervisor)
{
	return supervisor->stopping;
}

bool supervisor_has_started(const struct supervisor *supervisor)
{
	return supervisor->started_count == supervisor->slot_count;
}

void supervisor_view_slot(const struct supervisor *supervisor, uint32_t slot,
			  struct slot_view *ret_view, struct slot_history *ret_history)
{
	const struct slot_state *state = &supervisor->slots[slot];
	const struct worker *worker = state->worker;
	uint64_t now = clock_ms();

	*ret_history = state->history;
	*ret_view = (struct slot_view){.status = ""};
	if (!worker) {
		ret_history->restart_in_ms =
			state->restart_at_ms > now ? (uint32_t)(state->restart_at_ms - now) : 0;
		return;
	}
	*ret_view = (struct slot_view){
		.has_worker = true,
		.state = worker->state,
		.pid = pid_of(worker),
		.generation = worker->generation,
		.uptime_ms = now - worker->started_ms,
		.status = worker->status,
		.run = worker->run,
	};
}
