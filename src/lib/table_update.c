// SPDX-License-Identifier: MIT
/* Changes of the table: more slots, fewer slots, slots that are away. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/group_internal.h"

/*
 * Write the table of this many slots, without those that are away. Returns the number of buckets
 * that moved, or -errno.
 */
static int write_table(struct sticky_group *group, uint32_t slots)
{
	bool is_away[STICKY_SLOTS_LIMIT];
	uint32_t slot;
	int moved;

	for (slot = 0; slot < slots; slot++)
		is_away[slot] = slot < group->slot_count && group->slots[slot].is_away;
	moved = engine_set_table(group->engine, slots, is_away);
	if (moved >= 0) {
		group->table_is_stale = false;
		lookup_refresh(group);
	}
	return moved;
}

/* New slots are held before the table sends connections to them. */
static int grow(struct sticky_group *group, uint32_t slots)
{
	uint32_t previous = group->slot_count, slot;
	int result = 0;

	for (slot = previous; slot < slots && !result; slot++)
		result = slot_add(group, slot);
	if (!result)
		result = write_table(group, slots);
	if (result >= 0) {
		for (slot = previous; slot < slots; slot++)
			group->slots[slot].is_new = 0;
		group->slot_count = slots;
		return result;
	}
	while (slot-- > previous)
		slot_remove(group, slot);
	return result;
}

/*
 * When the queues of the removed slots are moved, the table does not send connections to these
 * slots any more.
 */
static int shrink(struct sticky_group *group, uint32_t slots)
{
	uint32_t previous = group->slot_count, slot;
	int moved = write_table(group, slots);

	if (moved < 0)
		return moved;
	group->slot_count = slots;
	for (slot = slots; slot < previous; slot++)
		slot_remove(group, slot);
	return moved;
}

int sticky_group_set_slots(struct sticky_group *group, uint32_t slots)
{
	int result = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	if (slots < 1 || slots > STICKY_SLOTS_LIMIT)
		return -EINVAL;
	group_lock(group);
	if (slots > group->slot_count)
		result = grow(group, slots);
	else if (slots < group->slot_count)
		result = shrink(group, slots);
	group_unlock_and_settle(group);
	return result;
}

int sticky_slot_set_away(struct sticky_group *group, uint32_t slot, bool is_away)
{
	int error = -EINVAL;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	if (slot < group->slot_count) {
		group->table_is_stale |= group->slots[slot].is_away != is_away;
		group->slots[slot].is_away = is_away;
		error = 0;
	}
	group_unlock(group);
	return error;
}

int sticky_group_apply(struct sticky_group *group)
{
	int moved = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	if (group->table_is_stale)
		moved = write_table(group, group->slot_count);
	group_unlock(group);
	return moved;
}

/* A slot that was removed still has its sockets, where they are shared. */
static bool may_hold(const struct sticky_group *group, uint32_t slot)
{
	return slot < (group_shares_sockets(group) ? STICKY_SLOTS_LIMIT : group->slot_count);
}

int sticky_slot_holding_fd(struct sticky_group *group, uint32_t slot, uint32_t listener)
{
	int fd = -ENOENT;

	group_lock(group);
	if (!may_hold(group, slot) || listener >= group->listener_count)
		fd = -EINVAL;
	else if (!group->slots[slot].owner && group->slots[slot].holding.fd[listener] >= 0)
		fd = group->slots[slot].holding.fd[listener];
	/*
	 * The descriptor is non-blocking, as the queue may be moved between poll() and accept().
	 * The flag is set under the lock: without it another thread could close this descriptor,
	 * and open one with the same number.
	 */
	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK))
		fd = -errno;
	else if (fd >= 0)
		group->slots[slot].is_nonblocking = true;
	group_unlock(group);
	return fd;
}
