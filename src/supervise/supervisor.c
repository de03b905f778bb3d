// SPDX-License-Identifier: MIT
#include "supervise/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timer.h"
#include "common/clock.h"
#include "supervise/lives.h"
#include "common/privilege.h"
#include "common/log.h"
#include "supervise/slot_socket.h"
#include "common/sanitize.h"
#include "common/units.h"

#define LAST_LINES_SIZE 2048
#define SIZE_CHECK_MS	5000 /* --max-rss: how often memory is looked at */

/* ---- The end of everything ------------------------------------------------------ */

static enum supervisor_result result_of(const struct supervisor *supervisor)
{
	if (supervisor->start_failed)
		return SUPERVISOR_START_FAILED;
	return supervisor->killed ? SUPERVISOR_KILLED : SUPERVISOR_STOPPED;
}

void supervisor_finish_if_empty(struct supervisor *supervisor)
{
	if (!supervisor->stopping || supervisor->worker_count || supervisor->finished)
		return;
	supervisor->finished = true;
	supervisor->options.finished(supervisor->options.context, result_of(supervisor));
}

static void refuse(struct supervisor *supervisor)
{
	uint32_t i;
	int error;

	supervisor->stopping = true;
	supervisor->stop_at_ms = clock_ms();
	orders_abandon(supervisor);
	for (i = 0; i < supervisor->slot_count; i++)
		hold_timeout_unwatch(supervisor->standin, i);
	error = sticky_group_refuse(supervisor->options.group);
	if (error)
		report(STICKY_LOG_WARN, "refuse_failed", "error=\"%s\"", strerror(-error));
}

static void stop_slot(struct slot_state *slot, bool now)
{
	struct worker *worker, *next;

	event_del(slot->restart);
	slot->begin_after_exit = false;
	if (slot->next)
		life_apply(slot->next, now ? WORKER_MUST_END : WORKER_ASKED_TO_STOP);
	if (slot->current && now)
		life_apply(slot->current, WORKER_MUST_END);
	else if (slot->current && slot->current->state == WORKER_READY)
		timer_start(slot->current->timer, 0); /* its queue first: see lives.c */
	else if (slot->current)
		life_apply(slot->current, WORKER_ASKED_TO_STOP);
	for (worker = slot->draining; worker && now; worker = next) {
		next = worker->next_draining;
		life_apply(worker, WORKER_MUST_END);
	}
}

void supervisor_stop(struct supervisor *supervisor, bool now)
{
	uint32_t i;

	if (!supervisor->stopping)
		refuse(supervisor);
	else if (!now)
		return;
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (supervisor->slots[i])
			stop_slot(supervisor->slots[i], now);
	supervisor_finish_if_empty(supervisor);
}

/* ---- A start that failed -------------------------------------------------------- */

bool supervisor_has_start_failed(const struct supervisor *supervisor)
{
	uint32_t i;

	/* More tries would hide the reason. */
	if (supervisor->started_count || supervisor->stopping)
		return false;
	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i]->first_life_failed)
			return false;
	return true;
}

void supervisor_fail_start(struct supervisor *supervisor, const struct worker *worker,
			   const struct run_exit *how)
{
	char lines[LAST_LINES_SIZE] = "", age[DURATION_TEXT_SIZE];
	char *line, *rest;

	if (worker->run)
		supervisor->options.runner.ops->last_lines(worker->run, sizeof(lines), lines);
	text_clean(lines);
	format_duration(clock_ms() - worker->started_ms, age);
	fprintf(stderr, "stickyctl: no worker got ready; slot %u, after %s: %s\n",
		worker->slot->index, age, how->text);
	if (how->hint)
		fprintf(stderr, "%s\n", how->hint);
	if (lines[0])
		fputs("its last lines:\n", stderr);
	else if (!how->hint)
		fputs("it printed nothing; try the command by itself\n", stderr);
	for (line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		fprintf(stderr, "  | %s\n", line);
	supervisor->start_failed = true;
	supervisor_stop(supervisor, true);
}

/* ---- The table, once a turn of the loop ------------------------------------------ */

static void on_flush(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *supervisor = context;
	struct leaving *leaving;
	unsigned int previous;
	int moved;

	(void)fd;
	(void)what;
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	moved = sticky_group_apply(supervisor->options.group);
	if (moved > 0 && supervisor->options.delivery)
		delivery_table_changed(supervisor->options.delivery);
	if (moved < 0)
		report(STICKY_LOG_ERROR, "table_failed", "error=\"%s\"", strerror(-moved));
	while ((leaving = supervisor->leaving)) {
		supervisor->leaving = leaving->next;
		sticky_worker_close(leaving->life);
		if (leaving->slot < supervisor->slot_count && !supervisor->stopping)
			supervisor_hold(supervisor, leaving->slot);
		free(leaving);
	}
	privilege_restore(previous);
}

void supervisor_flush_later(struct supervisor *supervisor)
{
	event_active(supervisor->flush, EV_TIMEOUT, 0);
}

/* ---- Recycling by size ------------------------------------------------------------ */

static void on_size_check(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *supervisor = context;
	const struct runner *runner = &supervisor->options.runner;
	struct slot_state *slots[STICKY_SLOTS_LIMIT];
	void *runs[STICKY_SLOTS_LIMIT];
	struct run_usage *usages = calloc(supervisor->slot_count, sizeof(*usages));
	uint32_t count = 0, i;

	(void)fd;
	(void)what;
	for (i = 0; usages && i < supervisor->slot_count; i++) {
		struct slot_state *slot = supervisor->slots[i];

		if (!slot->current || slot->current->state != WORKER_READY)
			continue;
		slots[count] = slot;
		runs[count++] = slot->current->run;
	}
	if (count)
		runner->ops->measure(runner->context, runs, count, usages);
	for (i = 0; i < count; i++)
		if (usages[i].rss_bytes > supervisor->config->max_rss_bytes)
			orders_recycle(slots[i], "--max-rss");
	free(usages);
}

/* ---- Opening, closing, looking -------------------------------------------------- */

static void on_restart(evutil_socket_t fd, short what, void *context)
{
	struct slot_state *slot = context;

	(void)fd;
	(void)what;
	slot->restarts++;
	slot_note(slot);
	slot_fill(slot);
}

int slot_open_socket(struct slot_state *slot, size_t error_size, char *ret_error)
{
	const struct config *config = slot->supervisor->config;
	unsigned int previous;
	int fd;

	if (!config->slot_listen || slot->private_fd >= 0)
		return 0;
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	fd = slotsocket_open(config->slot_listen, slot->index, (int)config->backlog, error_size,
			     ret_error);
	privilege_restore(previous);
	if (fd < 0)
		return fd;
	slot->private_fd = fd;
	return 0;
}

void slot_close_socket(struct slot_state *slot)
{
	if (slot->private_fd >= 0)
		slotsocket_close(slot->supervisor->config->slot_listen, slot->index,
				 slot->private_fd);
	slot->private_fd = -1;
}

int supervisor_open_slot_sockets(struct supervisor *supervisor, size_t error_size, char *ret_error)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < supervisor->slot_count && !error; i++)
		error = slot_open_socket(supervisor->slots[i], error_size, ret_error);
	return error;
}

bool worker_began_with_private(const struct worker *worker)
{
	return worker->has_private;
}

int worker_private_fd(const struct worker *worker)
{
	return worker->slot->private_fd;
}

int supervisor_add_slot(struct supervisor *supervisor, uint32_t index)
{
	struct slot_state *slot = supervisor->slots[index];

	if (!slot) {
		slot = calloc(1, sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		slot->restart = evtimer_new(supervisor->options.base, on_restart, slot);
		if (!slot->restart) {
			free(slot);
			return -ENOMEM;
		}
		slot->private_fd = -1;
		supervisor->slots[index] = slot;
	}
	slot->supervisor = supervisor;
	slot->index = index;
	slot->delay_ms = 0;
	slot_set_mode(slot, SLOT_ENABLED);
	return 0;
}

/* Slots that have no worker now are as --when-down says now. */
static void apply_when_down(struct supervisor *supervisor)
{
	bool spills = supervisor->config->when_down == WHEN_DOWN_SPILL;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		const struct worker *current = supervisor->slots[i]->current;

		if (!current || !current->has_slot)
			sticky_slot_set_away(supervisor->options.group, i, spills);
	}
	supervisor_flush_later(supervisor);
}

static void apply_times(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;

	hold_timeout_set_limits(supervisor->standin, config->max_retries, config->retry_delay_ms,
				(enum down_answer)config->down_answer);
	if (config->max_rss_bytes) {
		struct timeval period = {.tv_sec = SIZE_CHECK_MS / 1000,
					 .tv_usec = SIZE_CHECK_MS % 1000 * 1000};

		if (event_add(supervisor->size_check, &period))
			report(STICKY_LOG_ERROR, "size_check_failed", "error=\"%s\"",
			       strerror(errno));
	} else {
		event_del(supervisor->size_check);
	}
}

void supervisor_set_config(struct supervisor *supervisor, const struct config *config)
{
	supervisor->config = config;
	apply_times(supervisor);
	apply_when_down(supervisor);
}

static void on_group_due(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *supervisor = context;

	(void)fd;
	(void)what;
	sticky_group_run(supervisor->options.group);
}

static int make_parts(struct supervisor *supervisor)
{
	const struct supervisor_options *options = &supervisor->options;
	uint32_t i;
	int error, fd = sticky_group_fd(options->group);

	if (fd < 0)
		return fd;
	supervisor->group_due =
		event_new(options->base, fd, EV_READ | EV_PERSIST, on_group_due, supervisor);
	if (!supervisor->group_due || event_add(supervisor->group_due, NULL))
		return -ENOMEM;
	error = hold_timeout_open(options->base, options->group, options->answered,
				  &supervisor->standin);
	if (!error)
		error = hangup_open(options->base, life_on_hangup, &supervisor->hangup);
	supervisor->flush = event_new(options->base, -1, 0, on_flush, supervisor);
	supervisor->size_check =
		event_new(options->base, -1, EV_PERSIST, on_size_check, supervisor);
	if (!error && (!supervisor->flush || !supervisor->size_check))
		error = -ENOMEM;
	for (i = 0; !error && i < supervisor->slot_count; i++)
		error = supervisor_add_slot(supervisor, i);
	return error;
}

int supervisor_open(const struct supervisor_options *options, struct supervisor **ret_supervisor)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
	int error;

	if (!supervisor)
		return -ENOMEM;
	supervisor->options = *options;
	supervisor->slot_count = sticky_group_slots(options->group);
	error = make_parts(supervisor);
	if (error) {
		supervisor_close(supervisor);
		return error;
	}
	supervisor->config = options->config;
	apply_times(supervisor);
	*ret_supervisor = supervisor;
	return 0;
}

void supervisor_close(struct supervisor *supervisor)
{
	uint32_t i;

	if (!supervisor)
		return;
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++) {
		if (!supervisor->slots[i])
			continue;
		event_free(supervisor->slots[i]->restart);
		slot_close_socket(supervisor->slots[i]);
		free(supervisor->slots[i]);
	}
	if (supervisor->group_due)
		event_free(supervisor->group_due);
	if (supervisor->flush)
		event_free(supervisor->flush);
	if (supervisor->size_check)
		event_free(supervisor->size_check);
	hold_timeout_close(supervisor->standin);
	hangup_close(supervisor->hangup);
	free(supervisor);
}

static void watch_again(struct slot_state *slot)
{
	struct supervisor *supervisor = slot->supervisor;
	struct worker *current = slot->current;

	if (current && current->has_slot) {
		life_watch_sockets(current, false);
		life_watch_sockets(current, true);
	} else if (!supervisor->stopping) {
		hold_timeout_unwatch(supervisor->standin, slot->index);
		supervisor_hold(supervisor, slot->index);
	}
	if (current)
		life_note_sockets(current);
	if (slot->next)
		life_note_sockets(slot->next);
}

void supervisor_listeners_changed(struct supervisor *supervisor)
{
	struct slotsfile_content *content = supervisor->options.slotsfile->content;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++)
		watch_again(supervisor->slots[i]);
	if (content)
		content->listeners = sticky_group_listener_count(supervisor->options.group);
}

void supervisor_start(struct supervisor *supervisor)
{
	uint32_t i;

	supervisor->started_ms = clock_ms();
	supervisor->has_started = supervisor_has_started(supervisor); /* all taken over */
	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i]->current) /* not taken over */
			supervisor_hold(supervisor, i);
	apply_when_down(supervisor);
	if (supervisor->took_over)
		orders_fill(supervisor);
	for (i = 0; i < supervisor->slot_count && !supervisor->took_over; i++)
		slot_fill(supervisor->slots[i]);
}

bool supervisor_is_stopping(const struct supervisor *supervisor)
{
	return supervisor->stopping;
}

bool supervisor_has_started(const struct supervisor *supervisor)
{
	uint32_t i;

	if (supervisor->has_started)
		return true;

	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i]->was_ready)
			return false;
	return true;
}

uint32_t supervisor_slots(const struct supervisor *supervisor)
{
	return supervisor->slot_count;
}

/* Who is shown: the one that has the slot, or will have it; else the last one that drains. */
static const struct worker *shown(const struct slot_state *slot)
{
	return slot->current ? slot->current : slot->draining;
}

static uint32_t count_draining(const struct slot_state *slot)
{
	const struct worker *worker;
	uint32_t count = 0;

	for (worker = slot->draining; worker; worker = worker->next_draining)
		count++;
	return count;
}

void supervisor_view_slot(const struct supervisor *supervisor, uint32_t index,
			  struct slot_view *ret_view)
{
	const struct slot_state *slot = supervisor->slots[index];
	const struct worker *worker = shown(slot);
	uint64_t now = clock_ms();

	*ret_view = (struct slot_view){
		.mode = slot->mode,
		.status = "",
		.draining = count_draining(slot),
		.restarts = slot->restarts,
		.has_exit = slot->has_exit,
		.last_exit = slot->last_exit,
		.last_lifetime_ms = slot->last_lifetime_ms,
		.killed = slot->killed,
	};
	if (!worker) {
		if (slot->mode == SLOT_ENABLED && slot->restart_at_ms > now)
			ret_view->restart_in_ms = (uint32_t)(slot->restart_at_ms - now);
		return;
	}
	ret_view->has_worker = true;
	ret_view->state = worker->state;
	ret_view->pid = worker->run ? supervisor->options.runner.ops->pid(worker->run) : 0;
	ret_view->generation = worker->generation;
	ret_view->uptime_ms = now - worker->started_ms;
	ret_view->status = worker->status;
	ret_view->run = worker->run;
}

const char *slot_view_state(const struct slot_view *view)
{
	if (view->has_worker)
		return pool_state_name(view->state);
	switch (view->mode) {
	case SLOT_DRAINED:
		return "drained";
	case SLOT_FAILED:
		return "failed";
	default:
		return "waiting";
	}
}
