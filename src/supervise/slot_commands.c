// SPDX-License-Identifier: MIT
/* Commands for a slot, and for the number of slots. */
#include "supervise/slot_commands.h"

#include <errno.h>

#include "common/error_text.h"
#include "common/log.h"
#include "rights/privilege.h"
#include "supervise/rolling_reload.h"
#include "supervise/slot_handover.h"
#include "supervise/slot_socket.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_start.h"

static void end_workers(struct supervised_slot *slot)
{
	event_del(slot->restart);
	slot->begin_after_exit = false;
	rolling_reload_drop(slot);
	if (slot->next)
		worker_apply(slot->next, WORKER_ASKED_TO_STOP);
	if (slot->current)
		worker_apply(slot->current, WORKER_ASKED_TO_STOP);
}

/* Find the slot for a command. Returns 0, -EINVAL (no such slot) or -EBUSY (the instance stops). */
static int find_to_command(const struct supervisor *supervisor, uint32_t index,
			   struct supervised_slot **ret_slot)
{
	if (index >= supervisor->slot_count)
		return -EINVAL;
	if (supervisor->stopping)
		return -EBUSY;
	*ret_slot = supervisor->slots[index];
	return 0;
}

int slot_drain(struct supervisor *supervisor, uint32_t index)
{
	struct supervised_slot *slot;
	int error = find_to_command(supervisor, index, &slot);

	if (error)
		return error;
	if (slot->mode == SLOT_DRAINED)
		return 0;
	slot_set_mode(slot, SLOT_DRAINED);
	supervisor_note(supervisor, STICKY_LOG_INFO, "slot_drained",
			json_pack("{s:i}", "slot", (int)index));
	end_workers(slot);
	rolling_reload_drive(supervisor);
	return 0;
}

int slot_enable(struct supervisor *supervisor, uint32_t index)
{
	struct supervised_slot *slot;
	int error = find_to_command(supervisor, index, &slot);

	if (error)
		return error;
	if (slot->mode == SLOT_ENABLED)
		return 0;
	slot_set_mode(slot, SLOT_ENABLED);
	slot->deaths = (struct restart_deaths){0};
	slot->delay_ms = 0;
	supervisor_note(supervisor, STICKY_LOG_INFO, "slot_enabled",
			json_pack("{s:i}", "slot", (int)index));
	slot_fill(slot);
	return 0;
}

int slot_restart(struct supervisor *supervisor, uint32_t index)
{
	struct supervised_slot *slot;
	int error = find_to_command(supervisor, index, &slot);

	if (error)
		return error;
	if (slot->mode == SLOT_DRAINED)
		return -EPERM;
	slot->deaths = (struct restart_deaths){0};
	rolling_reload_recycle(slot, "restart");
	return 0;
}

/* Undo make_slots(). Slots that were removed before, and whose workers still drain, are so again.
 */
static void unmake_slots(struct supervisor *supervisor, uint32_t slots)
{
	uint32_t i;

	for (i = supervisor->slot_count; i < slots && supervisor->slots[i]; i++) {
		slot_socket_close(supervisor->slots[i]);
		slot_set_mode(supervisor->slots[i], SLOT_REMOVED);
	}
}

static int make_slots(struct supervisor *supervisor, uint32_t slots)
{
	struct error_text why = {""};
	uint32_t i;
	int error = 0;

	for (i = supervisor->slot_count; i < slots && !error; i++) {
		error = supervised_slot_add(supervisor, i);
		if (!error)
			error = slot_socket_open(supervisor->slots[i], &why);
	}
	if (!error)
		return 0;
	if (why.text[0]) {
		error_text_join_lines(&why);
		report(STICKY_LOG_ERROR, "slot_listen_failed", "why=\"%s\"", why.text);
	}
	unmake_slots(supervisor, slots);
	return error;
}

static void remove_slots(struct supervisor *supervisor, uint32_t slots, uint32_t old_slots)
{
	uint32_t i;

	for (i = slots; i < old_slots; i++) {
		slot_set_mode(supervisor->slots[i], SLOT_REMOVED);
		slot_socket_close(supervisor->slots[i]);
		end_workers(supervisor->slots[i]);
	}
}

int slots_scale(struct supervisor *supervisor, uint32_t slots)
{
	uint32_t old_slots = supervisor->slot_count, i;
	unsigned int previous;
	int moved;

	if (supervisor->stopping)
		return -EBUSY;
	if (slots < 1 || slots > STICKY_SLOTS_LIMIT)
		return -EINVAL;
	moved = make_slots(supervisor, slots);
	if (moved)
		return moved;
	/*
	 * The library is about to close the holding sockets of the removed slots: they must not be
	 * watched any more.
	 */
	for (i = slots; i < old_slots; i++)
		hold_timeout_unwatch(supervisor->hold_timeout, i);
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	moved = sticky_group_set_slots(supervisor->options.group, slots);
	privilege_restore(previous);
	if (moved < 0) {
		unmake_slots(supervisor, slots);
		for (i = slots; i < old_slots; i++)
			supervised_slot_hold(supervisor, i);
		return moved;
	}
	supervisor->slot_count = slots;
	if (supervisor->options.state_file->content)
		supervisor->options.state_file->content->slots = slots;
	supervisor_note(supervisor, STICKY_LOG_INFO, "scaled",
			json_pack("{s:i, s:i, s:i}", "slots", (int)slots, "from", (int)old_slots,
				  "moved_buckets", moved));
	remove_slots(supervisor, slots, old_slots);
	if (supervisor->options.delivery)
		delivery_table_changed(supervisor->options.delivery);
	for (i = old_slots; i < slots; i++) {
		supervised_slot_hold(supervisor, i);
		slot_fill(supervisor->slots[i]);
	}
	return moved;
}
