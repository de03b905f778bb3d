// SPDX-License-Identifier: MIT
/* What users ask for: reload, scale, drain, ready, restart; and recycling, which is a reload. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervise/lives.h"
#include "common/privilege.h"
#include "common/log.h"
#include "common/sanitize.h"

#define LINES_SIZE 2048

static void note(struct supervisor *supervisor, enum sticky_log_level level, const char *event,
		 json_t *fields)
{
	journal_add(supervisor->options.journal, level, event, fields);
}

/* ---- Reload ------------------------------------------------------------------------ */

static void drive(struct supervisor *supervisor);

/* The new life of a slot begins: beside the old one, or after it. */
static void begin_slot(struct slot_state *slot)
{
	struct supervisor *supervisor = slot->supervisor;

	if (slot->mode == SLOT_FAILED)
		slot_set_mode(slot, SLOT_ENABLED);
	slot->must_recycle = false;
	slot->delay_ms = 0;
	/* One that is STARTING has the former command: it is replaced, whatever the order. */
	if (slot->next)
		life_apply(slot->next, WORKER_SUPERSEDED);
	if (slot->current && slot->current->state == WORKER_STARTING)
		life_apply(slot->current, WORKER_SUPERSEDED);
	if (slot->current && supervisor->config->reload_order == RELOAD_OLD_FIRST) {
		slot->begin_after_exit = true;
		life_apply(slot->current, WORKER_ASKED_TO_STOP);
		return;
	}
	life_begin(slot);
}

/* Slots that a failed reload did not come to, and that have nobody: they begin now. */
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
		json_object_set_new(fields, "error", json_string(reload->error));
	note(supervisor, failed ? STICKY_LOG_ERROR : STICKY_LOG_INFO, "reload_ended", fields);
	if (failed)
		fill_slots(supervisor);
	orders_note_gone(supervisor);
}

static bool is_reloadable(const struct slot_state *slot)
{
	return slot && (slot->mode == SLOT_ENABLED || slot->mode == SLOT_FAILED);
}

static void begin_reload(struct supervisor *supervisor, const bool *chosen, const char *why)
{
	reload_begin(&supervisor->reload, chosen, STICKY_SLOTS_LIMIT,
		     supervisor->config->reload_parallel);
	supervisor->reload_id++;
	note(supervisor, STICKY_LOG_INFO, "reload_begun",
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
}

void orders_fill(struct supervisor *supervisor)
{
	bool chosen[STICKY_SLOTS_LIMIT] = {false}, is_any = false;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		const struct slot_state *slot = supervisor->slots[i];

		chosen[i] = slot->mode == SLOT_ENABLED && !slot->current;
		is_any |= chosen[i];
	}
	if (!is_any)
		return;
	begin_reload(supervisor, chosen, "takeover");
	drive(supervisor);
}

/* A slot whose life is too old or too large: one at a time. */
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

/* Begin what may begin now; and when one reload is over, the next. */
static void drive(struct supervisor *supervisor)
{
	int slot;

	if (supervisor->stopping)
		return;
	while ((slot = reload_next(&supervisor->reload)) >= 0)
		begin_slot(supervisor->slots[slot]);
	if (supervisor->reload.state == RELOAD_RUNNING)
		return;
	if (supervisor->reload_queued) {
		supervisor->reload_queued = false;
		begin_full_reload(supervisor);
	} else if (!begin_recycling(supervisor)) {
		return;
	}
	while ((slot = reload_next(&supervisor->reload)) >= 0)
		begin_slot(supervisor->slots[slot]);
}

void orders_note_ready(struct slot_state *slot)
{
	struct supervisor *supervisor = slot->supervisor;
	struct reload *reload = &supervisor->reload;
	bool was_running = reload->is_running[slot->index], is_over;

	is_over = reload_note_ready(reload, slot->index);
	if (was_running)
		note(supervisor, STICKY_LOG_INFO, "reload_slot",
		     json_pack("{s:i, s:i, s:i, s:i, s:I}", "reload", (int)supervisor->reload_id,
			       "slot", (int)slot->index, "done", (int)reload->done, "of",
			       (int)reload->of, "generation",
			       (json_int_t)slot->current->generation));
	if (is_over)
		end_reload(supervisor);
	drive(supervisor);
}

void orders_note_failed(struct slot_state *slot, const struct worker *worker,
			const struct run_exit *how)
{
	struct supervisor *supervisor = slot->supervisor;
	const struct runner_ops *ops = supervisor->options.runner.ops;
	char lines[LINES_SIZE] = "";
	json_t *fields;

	if (!supervisor->reload.is_running[slot->index])
		return;
	if (worker->run)
		ops->last_lines(worker->run, sizeof(lines), lines);
	text_clean(lines);
	fields = json_pack("{s:i, s:i, s:s, s:s, s:b}", "reload", (int)supervisor->reload_id,
			   "slot", (int)slot->index, "error", how->text, "lines", lines,
			   "old_serves", slot->current && slot->current->state == WORKER_READY);
	if (how->hint)
		json_object_set_new(fields, "hint", json_string(how->hint));
	note(supervisor, STICKY_LOG_WARN, "reload_slot_failed", fields);
	if (reload_note_failed(&supervisor->reload, slot->index, how->text))
		end_reload(supervisor);
	drive(supervisor);
}

/* Have all former lives ended? Then who waits for that is told. */
void orders_note_gone(struct supervisor *supervisor)
{
	uint32_t i;

	if (supervisor->drained_id == supervisor->reload_id ||
	    supervisor->reload.state == RELOAD_RUNNING)
		return;
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (supervisor->slots[i] && supervisor->slots[i]->draining)
			return;
	/* Each has its event: one reload may begin before the lives of the last one have ended. */
	while (supervisor->drained_id < supervisor->reload_id)
		note(supervisor, STICKY_LOG_INFO, "reload_drained",
		     json_pack("{s:i}", "reload", (int)++supervisor->drained_id));
}

void orders_recycle(struct slot_state *slot, const char *why)
{
	if (slot->must_recycle || slot->supervisor->stopping)
		return;
	slot->must_recycle = true;
	note(slot->supervisor, STICKY_LOG_INFO, "recycle",
	     json_pack("{s:i, s:s}", "slot", (int)slot->index, "why", why));
	drive(slot->supervisor);
}

void orders_abandon(struct supervisor *supervisor)
{
	supervisor->reload_queued = false;
	if (reload_abandon(&supervisor->reload, "the instance is stopping"))
		end_reload(supervisor);
}

int supervisor_reload(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return -EBUSY;
	if (supervisor->reload.state == RELOAD_RUNNING) {
		supervisor->reload_queued = true;
		return 1;
	}
	begin_full_reload(supervisor);
	drive(supervisor);
	return 0;
}

uint32_t supervisor_reload_id(const struct supervisor *supervisor)
{
	return supervisor->reload_id;
}

const struct reload *supervisor_reload_view(const struct supervisor *supervisor)
{
	return &supervisor->reload;
}

/* ---- One slot ---------------------------------------------------------------------- */

static struct slot_state *find(const struct supervisor *supervisor, uint32_t slot)
{
	return slot < supervisor->slot_count ? supervisor->slots[slot] : NULL;
}

static void end_lives(struct slot_state *slot)
{
	event_del(slot->restart);
	slot->begin_after_exit = false;
	if (reload_drop(&slot->supervisor->reload, slot->index))
		end_reload(slot->supervisor);
	if (slot->next)
		life_apply(slot->next, WORKER_ASKED_TO_STOP);
	if (slot->current)
		life_apply(slot->current, WORKER_ASKED_TO_STOP);
}

int supervisor_drain(struct supervisor *supervisor, uint32_t index)
{
	struct slot_state *slot = find(supervisor, index);

	if (!slot)
		return -EINVAL;
	if (supervisor->stopping)
		return -EBUSY;
	if (slot->mode == SLOT_DRAINED)
		return 0;
	slot_set_mode(slot, SLOT_DRAINED);
	note(supervisor, STICKY_LOG_INFO, "slot_drained", json_pack("{s:i}", "slot", (int)index));
	end_lives(slot);
	drive(supervisor);
	return 0;
}

int supervisor_ready(struct supervisor *supervisor, uint32_t index)
{
	struct slot_state *slot = find(supervisor, index);

	if (!slot)
		return -EINVAL;
	if (supervisor->stopping)
		return -EBUSY;
	if (slot->mode == SLOT_ENABLED)
		return 0;
	slot_set_mode(slot, SLOT_ENABLED);
	slot->deaths = (struct pool_deaths){0};
	slot->delay_ms = 0;
	note(supervisor, STICKY_LOG_INFO, "slot_enabled", json_pack("{s:i}", "slot", (int)index));
	slot_fill(slot);
	return 0;
}

int supervisor_restart(struct supervisor *supervisor, uint32_t index)
{
	struct slot_state *slot = find(supervisor, index);

	if (!slot)
		return -EINVAL;
	if (supervisor->stopping)
		return -EBUSY;
	if (slot->mode == SLOT_DRAINED)
		return -EPERM;
	slot->deaths = (struct pool_deaths){0};
	orders_recycle(slot, "restart");
	return 0;
}

/* ---- Scale ------------------------------------------------------------------------- */

static int make_slots(struct supervisor *supervisor, uint32_t slots)
{
	char why[LINES_SIZE] = "";
	uint32_t i;
	int error = 0;

	for (i = supervisor->slot_count; i < slots && !error; i++) {
		error = supervisor_add_slot(supervisor, i);
		if (!error)
			error = slot_open_socket(supervisor->slots[i], sizeof(why), why);
	}
	if (!error)
		return 0;
	if (why[0])
		report(STICKY_LOG_ERROR, "slot_listen_failed", "why=\"%s\"", why);
	for (i = supervisor->slot_count; i < slots && supervisor->slots[i]; i++)
		slot_close_socket(supervisor->slots[i]);
	return error;
}

static void remove_slots(struct supervisor *supervisor, uint32_t slots, uint32_t former)
{
	uint32_t i;

	for (i = slots; i < former; i++) {
		slot_set_mode(supervisor->slots[i], SLOT_REMOVED);
		slot_close_socket(supervisor->slots[i]);
		end_lives(supervisor->slots[i]);
	}
}

int supervisor_scale(struct supervisor *supervisor, uint32_t slots)
{
	uint32_t former = supervisor->slot_count, i;
	unsigned int previous;
	int moved;

	if (supervisor->stopping)
		return -EBUSY;
	if (slots < 1 || slots > STICKY_SLOTS_LIMIT)
		return -EINVAL;
	moved = make_slots(supervisor, slots);
	if (moved)
		return moved;
	/* Nobody watches holding sockets that the library is about to close. */
	for (i = slots; i < former; i++)
		hold_timeout_unwatch(supervisor->standin, i);
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	moved = sticky_group_set_slots(supervisor->options.group, slots);
	privilege_restore(previous);
	if (moved < 0) {
		for (i = slots; i < former; i++)
			supervisor_hold(supervisor, i);
		return moved;
	}
	supervisor->slot_count = slots;
	if (supervisor->options.slotsfile->content)
		supervisor->options.slotsfile->content->slots = slots;
	note(supervisor, STICKY_LOG_INFO, "scaled",
	     json_pack("{s:i, s:i, s:i}", "slots", (int)slots, "from", (int)former, "moved_buckets",
		       moved));
	remove_slots(supervisor, slots, former);
	if (supervisor->options.delivery)
		delivery_table_changed(supervisor->options.delivery);
	for (i = former; i < slots; i++) {
		supervisor_hold(supervisor, i);
		slot_fill(supervisor->slots[i]);
	}
	return moved;
}
