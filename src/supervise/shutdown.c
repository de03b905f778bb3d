// SPDX-License-Identifier: MIT
/* How an instance ends: on request, or because no worker became ready. */
#include "supervise/shutdown.h"

#include <string.h>

#include "common/clock.h"
#include "common/message.h"
#include "common/log.h"
#include "common/sanitize.h"
#include "common/units.h"
#include "supervise/rolling_reload.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"

#define LAST_LINES_SIZE 2048

static enum supervisor_result result_of(const struct supervisor *supervisor)
{
	if (supervisor->start_failed)
		return SUPERVISOR_START_FAILED;
	return supervisor->killed ? SUPERVISOR_KILLED : SUPERVISOR_STOPPED;
}

void shutdown_finish_if_empty(struct supervisor *supervisor)
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
	rolling_reload_abandon(supervisor);
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++) /* also slots that were removed */
		hold_timeout_unwatch(supervisor->hold_timeout, i);
	error = sticky_group_refuse(supervisor->options.group);
	if (error)
		report(STICKY_LOG_WARN, "refuse_failed", "error=\"%s\"", strerror(-error));
}

static void stop_slot(struct supervised_slot *slot, bool now)
{
	struct worker *worker, *next;

	event_del(slot->restart);
	slot->begin_after_exit = false;
	if (slot->next)
		worker_apply(slot->next, now ? WORKER_MUST_END : WORKER_ASKED_TO_STOP);
	if (slot->current)
		worker_apply(slot->current, now ? WORKER_MUST_END : WORKER_ASKED_TO_STOP);
	for (worker = slot->draining; worker && now; worker = next) {
		next = worker->next_draining;
		worker_apply(worker, WORKER_MUST_END);
	}
}

void shutdown_begin(struct supervisor *supervisor, bool now)
{
	uint32_t i;

	if (!supervisor->stopping)
		refuse(supervisor);
	else if (!now)
		return;
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (supervisor->slots[i])
			stop_slot(supervisor->slots[i], now);
	shutdown_finish_if_empty(supervisor);
}

void shutdown_fail_start(struct supervisor *supervisor, const struct worker *worker,
			 const struct run_exit *how)
{
	char lines[LAST_LINES_SIZE] = "", age[DURATION_TEXT_SIZE];
	char *line, *rest;

	if (worker->handle)
		supervisor->options.backend.ops->last_lines(worker->handle, sizeof(lines), lines);
	text_clean(lines);
	format_duration(clock_ms() - worker->started_ms, age);
	message("stickyctl: no worker got ready; slot %u, after %s: %s", worker->slot->index, age,
		how->text);
	if (how->hint)
		message("%s", how->hint);
	if (lines[0])
		message("its last lines:");
	else if (!how->hint && supervisor->config->worker_log != WORKER_LOG_INHERIT)
		message("it printed nothing; try the command by itself");
	for (line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		message("  | %s", line);
	supervisor->start_failed = true;
	shutdown_begin(supervisor, true);
}

bool shutdown_has_begun(const struct supervisor *supervisor)
{
	return supervisor->stopping;
}
