// SPDX-License-Identifier: MIT
#include "supervise/slot_view.h"

#include "common/clock.h"
#include "supervise/supervise_internal.h"

/*
 * Returns the worker that is shown: the one that has the slot, or will have it first; else the last
 * one that left it; NULL: none.
 */
static const struct worker *shown(const struct supervised_slot *slot)
{
	return slot->current ? slot->current : slot->draining;
}

void slot_view_read(const struct supervisor *supervisor, uint32_t index, struct slot_view *ret_view)
{
	const struct supervised_slot *slot = supervisor->slots[index];
	const struct worker *worker = shown(slot);
	uint64_t now = clock_ms();

	*ret_view = (struct slot_view){
		.mode = slot->mode,
		.status = "",
		.not_ready_reason = "",
		.draining = slot->draining_count,
		.restarts = slot->restarts,
		.has_exit = slot->has_exit,
		.last_exit = slot->last_exit,
		.last_lifetime_ms = slot->last_lifetime_ms,
		.last_generation = slot->last_generation,
		.recycles = slot->recycles,
		.recycle_why = slot->recycle_why,
		.killed = slot->killed,
	};
	if (!worker) {
		if (slot->mode == SLOT_ENABLED && slot->restart_at_ms > now)
			ret_view->restart_in_ms = (uint32_t)(slot->restart_at_ms - now);
		return;
	}
	ret_view->has_worker = true;
	ret_view->state = worker->state;
	ret_view->pid = worker->handle ? supervisor->options.backend.ops->pid(worker->handle) : 0;
	ret_view->generation = worker->generation;
	ret_view->uptime_ms = now - worker->started_ms;
	ret_view->hung_ms = worker_hung_ms(worker, now);
	ret_view->status = worker->status;
	if (worker->state == WORKER_STARTING) {
		ret_view->not_ready_reason = worker->not_ready_reason;
		ret_view->not_ready_hint = worker->not_ready_hint;
	}
	ret_view->handle = worker->handle;
}

uint32_t closed_listeners(const struct supervisor *supervisor)
{
	uint32_t open = 0, slot;

	for (slot = 0; slot < supervisor->slot_count; slot++) {
		const struct worker *worker = supervisor->slots[slot]->current;

		if (worker && worker->state == WORKER_READY)
			open |= ~worker->not_held;
	}
	return open ? ~open : 0;
}

uint32_t draining_count(const struct supervisor *supervisor)
{
	uint32_t count = 0, i;

	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		count += supervisor->slots[i] ? supervisor->slots[i]->draining_count : 0;
	return count;
}

static struct draining_view view_draining(const struct worker *worker)
{
	uint64_t now = clock_ms();

	return (struct draining_view){
		.slot = worker->slot->index,
		.state = worker->state,
		.pid = pid_of(worker),
		.generation = worker->generation,
		.kill_in_ms = worker->kill_at_ms > now ? worker->kill_at_ms - now : 0,
		.handle = worker->handle,
	};
}

uint32_t draining_read(const struct supervisor *supervisor, uint32_t room,
		       struct draining_view *ret_views)
{
	const struct worker *worker;
	uint32_t count = 0, i;

	for (i = 0; i < STICKY_SLOTS_LIMIT; i++) {
		worker = supervisor->slots[i] ? supervisor->slots[i]->draining : NULL;
		for (; worker && count < room; worker = worker->next_draining)
			ret_views[count++] = view_draining(worker);
	}
	return count;
}

const char *slot_view_state(const struct slot_view *view)
{
	if (view->has_worker && view->hung_ms)
		return "hung";
	if (view->has_worker)
		return worker_state_name(view->state);
	switch (view->mode) {
	case SLOT_DRAINED:
		return "drained";
	case SLOT_FAILED:
		return "failed";
	default:
		return "waiting";
	}
}
