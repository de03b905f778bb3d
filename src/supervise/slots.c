// SPDX-License-Identifier: MIT
/* The slots of an instance: the workers that each has, and its record in the state file. */
#include <errno.h>

#include "supervise/supervise_internal.h"

void slot_note_killed(struct supervised_slot *slot)
{
	slot->killed++;
	slot_note(slot);
}

/*
 * Make the worker that was started beside the previous one the current worker, if there is no
 * other.
 */
static void promote_next(struct supervised_slot *slot)
{
	if (slot->current || !slot->next)
		return;
	slot->current = slot->next;
	slot->next = NULL;
}

void slot_move_to_draining(struct worker *worker)
{
	struct supervised_slot *slot = worker->slot;

	if (slot->current == worker)
		slot->current = NULL;
	if (slot->next == worker)
		slot->next = NULL;
	worker->next_draining = slot->draining;
	slot->draining = worker;
	slot->draining_count++;
	promote_next(slot);
}

void slot_forget_worker(struct worker *worker)
{
	struct supervised_slot *slot = worker->slot;
	struct worker **link = &slot->draining;

	if (slot->current == worker)
		slot->current = NULL;
	if (slot->next == worker)
		slot->next = NULL;
	while (*link && *link != worker)
		link = &(*link)->next_draining;
	if (*link) {
		*link = worker->next_draining;
		slot->draining_count--;
	}
	promote_next(slot);
}

void slot_note(const struct supervised_slot *slot)
{
	struct state_file_content *content = slot->supervisor->options.state_file->content;

	if (!content)
		return;
	content->slot[slot->index] = (struct slot_record){
		.generation = slot->generation,
		.restarts = slot->restarts,
		.killed = slot->killed,
		.mode = slot->mode,
	};
}

void slot_set_mode(struct supervised_slot *slot, enum slot_mode mode)
{
	slot->mode = mode;
	slot_note(slot);
}

bool slot_has_worker(const struct supervised_slot *slot)
{
	return slot->current || slot->next || slot->draining;
}

bool slots_all_were_ready(const struct supervisor *supervisor)
{
	uint32_t i;

	if (supervisor->has_started)
		return true;

	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i]->was_ready)
			return false;
	return true;
}

bool slots_all_failed_first(const struct supervisor *supervisor)
{
	uint32_t i;

	/* Once a worker has been ready, the first start has not failed as a whole. */
	if (supervisor->started_count || supervisor->stopping)
		return false;
	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i]->first_worker_failed)
			return false;
	return true;
}

void supervisor_flush_later(struct supervisor *supervisor)
{
	event_active(supervisor->flush, EV_TIMEOUT, 0);
}

void supervisor_note(struct supervisor *supervisor, enum sticky_log_level level, const char *event,
		     json_t *fields)
{
	journal_add(supervisor->options.journal, level, event, fields);
}
