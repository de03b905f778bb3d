// SPDX-License-Identifier: MIT
/* Reload and recycling: slot by slot, as reload_plan.h says. */
#include "supervise/rolling_reload.h"

#include <errno.h>

#include "common/sanitize.h"
#include "supervise/foreign_listeners.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_start.h"

#define LINES_SIZE 2048

/* Begin the new worker of a slot: beside the old one, or after its end. */
static void begin_slot(struct supervised_slot *slot)
{
	struct supervisor *supervisor = slot->supervisor;

	if (slot->mode == SLOT_FAILED)
		slot_set_mode(slot, SLOT_ENABLED);
	slot->must_recycle = false;
	slot->delay_ms = 0;
	/* A worker that is STARTING has the previous command: it is replaced, whatever the order.
	 */
	if (slot->next)
		worker_apply(slot->next, WORKER_SUPERSEDED);
	if (slot->current && slot->current->state == WORKER_STARTING)
		worker_apply(slot->current, WORKER_SUPERSEDED);
	if (slot->current && supervisor->config->reload.order == RELOAD_OLD_FIRST) {
		slot->begin_after_exit = true;
		worker_apply(slot->current, WORKER_ASKED_TO_STOP);
		return;
	}
	worker_begin(slot);
}

/* Begin a worker in each slot that a failed reload did not reach, and that has none. */
static void fill_slots(struct supervisor *supervisor)
{
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++)
		if (!event_pending(supervisor->slots[i]->restart, EV_TIMEOUT, NULL))
			slot_fill(supervisor->slots[i]);
}

static void end_reload(struct supervisor *supervisor)
{
	const struct reload *reload = &supervisor->reload;
	bool failed = reload->state == RELOAD_FAILED;
	json_t *fields = json_pack("{s:i, s:b, s:i, s:i}", "reload", (int)supervisor->reload_id,
				   "ok", !failed, "done", (int)reload->done, "of", (int)reload->of);

	if (failed)
		json_object_set_new(fields, "error", json_string(reload->error.text));
	supervisor_note(supervisor, failed ? STICKY_LOG_ERROR : STICKY_LOG_INFO, "reload_ended",
			fields);
	if (failed)
		fill_slots(supervisor);
	rolling_reload_note_gone(supervisor);
}

static bool is_reloadable(const struct supervised_slot *slot)
{
	return slot && (slot->mode == SLOT_ENABLED || slot->mode == SLOT_FAILED);
}

static void begin_reload(struct supervisor *supervisor, const bool *chosen, const char *why)
{
	reload_begin(&supervisor->reload, chosen, STICKY_SLOTS_LIMIT,
		     supervisor->config->reload.parallel);
	supervisor->reload_id++;
	supervisor_note(supervisor, STICKY_LOG_INFO, "reload_begun",
			json_pack("{s:i, s:i, s:s}", "reload", (int)supervisor->reload_id, "of",
				  (int)supervisor->reload.of, "why", why));
	if (supervisor->reload.state != RELOAD_RUNNING)
		end_reload(supervisor);
}

static void begin_full_reload(struct supervisor *supervisor)
{
	bool chosen[STICKY_SLOTS_LIMIT] = {false};
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++)
		chosen[i] = is_reloadable(supervisor->slots[i]);
	begin_reload(supervisor, chosen, "request");
	foreign_listeners_look(supervisor->foreign);
}

void rolling_reload_fill(struct supervisor *supervisor)
{
	bool chosen[STICKY_SLOTS_LIMIT] = {false}, is_any = false;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		const struct supervised_slot *slot = supervisor->slots[i];

		chosen[i] = slot->mode == SLOT_ENABLED && !slot->current;
		is_any |= chosen[i];
	}
	if (!is_any)
		return;
	begin_reload(supervisor, chosen, "takeover");
	rolling_reload_drive(supervisor);
}

/* Replace one worker that is too old or too large. Returns false if there is none. */
static bool begin_recycling(struct supervisor *supervisor)
{
	bool chosen[STICKY_SLOTS_LIMIT] = {false};
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		if (!supervisor->slots[i]->must_recycle || !is_reloadable(supervisor->slots[i]))
			continue;
		chosen[i] = true;
		begin_reload(supervisor, chosen, "recycle");
		return true;
	}
	return false;
}

/* Find the slots in which so many workers are draining that no further one may be replaced. */
static void find_full(const struct supervisor *supervisor, bool ret_is_full[STICKY_SLOTS_LIMIT])
{
	uint32_t i;

	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		ret_is_full[i] =
			supervisor->slots[i] && supervisor->slots[i]->draining_count >=
							supervisor->config->reload.max_draining;
}

/* Note for which slot the reload waits, and report this once for each reload. slot: -1: none. */
static void note_waiting(struct supervisor *supervisor, int slot)
{
	bool is_new = slot >= 0 && supervisor->waiting_id != supervisor->reload_id;

	supervisor->reload_waits_for = slot;
	if (!is_new)
		return;
	supervisor->waiting_id = supervisor->reload_id;
	supervisor_note(supervisor, STICKY_LOG_WARN, "reload_waits",
			json_pack("{s:i, s:i, s:i, s:s}", "reload", (int)supervisor->reload_id,
				  "slot", slot, "draining",
				  (int)supervisor->slots[slot]->draining_count, "hint",
				  "it goes on when one of them has ended; --max-draining allows "
				  "more, --hard-shutdown-delay limits how long they take"));
}

/* Begin the new workers that may begin now. */
static void drive_plan(struct supervisor *supervisor)
{
	bool is_full[STICKY_SLOTS_LIMIT];
	int slot;

	find_full(supervisor, is_full);
	while ((slot = reload_next(&supervisor->reload, is_full)) >= 0)
		begin_slot(supervisor->slots[slot]);
	note_waiting(supervisor, reload_waits_for(&supervisor->reload, is_full));
}

void rolling_reload_drive(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return;
	drive_plan(supervisor);
	if (supervisor->reload.state == RELOAD_RUNNING)
		return;
	if (supervisor->reload_queued) {
		supervisor->reload_queued = false;
		begin_full_reload(supervisor);
	} else if (!begin_recycling(supervisor)) {
		return;
	}
	drive_plan(supervisor);
}

void rolling_reload_note_ready(struct supervised_slot *slot)
{
	struct supervisor *supervisor = slot->supervisor;
	struct reload *reload = &supervisor->reload;
	bool was_running = reload->is_running[slot->index], is_over;

	is_over = reload_note_ready(reload, slot->index);
	if (was_running)
		supervisor_note(supervisor, STICKY_LOG_INFO, "reload_slot",
				json_pack("{s:i, s:i, s:i, s:i, s:I}", "reload",
					  (int)supervisor->reload_id, "slot", (int)slot->index,
					  "done", (int)reload->done, "of", (int)reload->of,
					  "generation", (json_int_t)slot->current->generation));
	if (is_over)
		end_reload(supervisor);
	rolling_reload_drive(supervisor);
}

void rolling_reload_note_failed(struct supervised_slot *slot, const struct worker *worker,
				const struct run_exit *how)
{
	struct supervisor *supervisor = slot->supervisor;
	const struct worker_backend_ops *ops = supervisor->options.backend.ops;
	char lines[LINES_SIZE] = "";
	json_t *fields;

	if (!supervisor->reload.is_running[slot->index])
		return;
	if (worker->handle)
		ops->last_lines(worker->handle, sizeof(lines), lines);
	text_clean(lines);
	fields = json_pack("{s:i, s:i, s:s, s:s, s:b}", "reload", (int)supervisor->reload_id,
			   "slot", (int)slot->index, "error", how->text, "lines", lines,
			   "old_serves", slot->current && slot->current->state == WORKER_READY);
	if (how->hint)
		json_object_set_new(fields, "hint", json_string(how->hint));
	supervisor_note(supervisor, STICKY_LOG_WARN, "reload_slot_failed", fields);
	if (reload_note_failed(&supervisor->reload, slot->index, how->text))
		end_reload(supervisor);
	rolling_reload_drive(supervisor);
}

void rolling_reload_note_gone(struct supervisor *supervisor)
{
	uint32_t i;

	if (supervisor->drained_id == supervisor->reload_id ||
	    supervisor->reload.state == RELOAD_RUNNING)
		return;
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (supervisor->slots[i] && supervisor->slots[i]->draining)
			return;
	/*
	 * There is one event for each reload: the next one may begin before the old workers of a
	 * reload have ended.
	 */
	while (supervisor->drained_id < supervisor->reload_id)
		supervisor_note(supervisor, STICKY_LOG_INFO, "reload_drained",
				json_pack("{s:i}", "reload", (int)++supervisor->drained_id));
}

void rolling_reload_recycle(struct supervised_slot *slot, const char *why)
{
	if (slot->must_recycle || slot->supervisor->stopping)
		return;
	slot->must_recycle = true;
	slot->recycles++;
	slot->recycle_why = why;
	supervisor_note(slot->supervisor, STICKY_LOG_INFO, "recycle",
			json_pack("{s:i, s:s}", "slot", (int)slot->index, "why", why));
	rolling_reload_drive(slot->supervisor);
}

void rolling_reload_drop(struct supervised_slot *slot)
{
	if (reload_drop(&slot->supervisor->reload, slot->index))
		end_reload(slot->supervisor);
}

void rolling_reload_abandon(struct supervisor *supervisor)
{
	supervisor->reload_queued = false;
	if (reload_abandon(&supervisor->reload, "the instance is stopping"))
		end_reload(supervisor);
}

int rolling_reload_begin(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return -EBUSY;
	if (supervisor->reload.state == RELOAD_RUNNING) {
		supervisor->reload_queued = true;
		return 1;
	}
	begin_full_reload(supervisor);
	rolling_reload_drive(supervisor);
	return 0;
}

uint32_t rolling_reload_id(const struct supervisor *supervisor)
{
	return supervisor->reload_id;
}

int rolling_reload_waits_for(const struct supervisor *supervisor)
{
	return supervisor->reload.state == RELOAD_RUNNING ? supervisor->reload_waits_for : -1;
}

const struct reload *rolling_reload_view(const struct supervisor *supervisor)
{
	return &supervisor->reload;
}
