/* SPDX-License-Identifier: MIT */
/*
 * What users ask of a slot, and of the number of slots. All return -EBUSY where the instance stops,
 * and -EINVAL where there is no such slot.
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
 * Returns how many buckets have moved, or -errno: nothing has changed; see also
 * sticky_group_set_slots().
 */
int slots_scale(struct supervisor *supervisor, uint32_t slots);

/*
 * End a slot's workers, and begin none: its clients wait, or go to other slots, by --when-down.
 * Returns 0, also where it is so already, or -errno.
 */
int slot_drain(struct supervisor *supervisor, uint32_t slot);

/*
 * Enable a slot that was drained, or has failed.
 * Returns 0, also where it is so already, or -errno.
 */
int slot_enable(struct supervisor *supervisor, uint32_t slot);

/*
 * Replace a slot's worker by a reload of that slot, after the reload that runs.
 * Returns 0 or -errno; -EPERM: the slot is drained.
 */
int slot_restart(struct supervisor *supervisor, uint32_t slot);

#endif
