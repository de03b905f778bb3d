/* SPDX-License-Identifier: MIT */
/*
 * Commands for a slot, and for the number of slots. All return -EBUSY if the instance stops, and
 * -EINVAL if there is no such slot.
 */
#ifndef STICKY_SUPERVISE_SLOT_COMMANDS_H
#define STICKY_SUPERVISE_SLOT_COMMANDS_H

#include <stdint.h>

struct supervisor;

/*
 * Change the number of slots.
 *
 * slots  1 to STICKY_SLOTS_LIMIT
 *
 * Returns the number of buckets that have moved, or -errno, after which nothing has changed: see
 * sticky_group_set_slots().
 */
int slots_scale(struct supervisor *supervisor, uint32_t slots);

/*
 * End a slot's workers, and start no other: its clients wait, or go to other slots, as --when-down
 * says. Returns 0, also if the slot was drained before, or -errno.
 */
int slot_drain(struct supervisor *supervisor, uint32_t slot);

/*
 * Enable a slot that was drained, or has failed. Returns 0, also if the slot was enabled before, or
 * -errno.
 */
int slot_enable(struct supervisor *supervisor, uint32_t slot);

/*
 * Replace a slot's worker by a reload of that slot, after the reload that runs. Returns 0 or
 * -errno; -EPERM: the slot is drained.
 */
int slot_restart(struct supervisor *supervisor, uint32_t slot);

#endif
