// SPDX-License-Identifier: MIT
/* Functions that report about a group: where a client belongs, counters, the state of slots. */
#include <errno.h>
#include <string.h>

#include "bpf/select.h"
#include "engine/address.h"
#include "lib/group_internal.h"
#include "lib/sized.h"

/* The last member of the first version of each structure. It never changes: see sized.h. */
#define WHERE_FIRST    SIZED_END(struct sticky_where, slot)
#define COUNTERS_FIRST SIZED_END(struct sticky_counters, dropped_unreadable)
#define INFO_FIRST     SIZED_END(struct sticky_slot_info, overflows)

uint32_t sticky_group_slots(struct sticky_group *group)
{
	uint32_t count;

	group_lock(group);
	count = group->slot_count;
	group_unlock(group);
	return count;
}

int sticky_group_where(struct sticky_group *group, const struct sockaddr *client,
		       struct sticky_where *ret_where)
{
	bool wants_key = ret_where->size >= SIZED_END(struct sticky_where, key);
	struct sticky_where where = {0};
	struct lookup_result found;
	int error;

	if (ret_where->size < WHERE_FIRST)
		return -EINVAL;
	error = lookup_find(group, client, &found);
	if (error)
		return error;
	where.bucket = found.bucket;
	where.slot = found.slot;
	if (wants_key)
		error = key_format(&group->lookup->settings, &found.key, sizeof(where.key),
				   where.key);
	if (error)
		return error;
	return sized_write(&where, WHERE_FIRST, wants_key ? sizeof(where) : WHERE_FIRST, ret_where);
}

int sticky_group_slot_of(struct sticky_group *group, const struct sockaddr *client)
{
	struct lookup_result found;
	int error = lookup_find(group, client, &found);

	return error ? error : (int)found.slot;
}

void sticky_group_table(struct sticky_group *group, uint16_t *ret_slots)
{
	lookup_copy(group, ret_slots);
}

uint32_t sticky_group_seed_id(struct sticky_group *group)
{
	uint32_t id;

	group_lock(group);
	id = sticky_halfsiphash13(engine_settings(group->engine)->hash_seed, NULL, 0);
	group_unlock(group);
	return id;
}

static uint64_t sum_steered(const struct sticky_cpu_counters *count)
{
	uint64_t sum = 0;
	uint32_t slot;

	for (slot = 0; slot < STICKY_SLOTS_MAX; slot++)
		sum += count->steered[slot];
	return sum;
}

/* Fill in a caller's counters, whose size has been checked. */
static int write_counters(const struct sticky_cpu_counters *sum,
			  struct sticky_counters *ret_counters)
{
	struct sticky_counters counters = {
		.steered = sum_steered(sum),
		.migrated = sum->exits[STICKY_EXIT_MIGRATED],
		.empty_slot = sum->exits[STICKY_EXIT_EMPTY_SLOT],
		.dropped_empty = sum->exits[STICKY_EXIT_DROPPED_EMPTY],
		.dropped_no_table = sum->exits[STICKY_EXIT_DROPPED_NO_TABLE],
		.dropped_unreadable = sum->exits[STICKY_EXIT_DROPPED_UNREADABLE],
		.dispatched = sum->exits[STICKY_EXIT_DISPATCHED],
	};

	counters.dropped =
		counters.dropped_empty + counters.dropped_no_table + counters.dropped_unreadable;
	return sized_write(&counters, COUNTERS_FIRST, sizeof(counters), ret_counters);
}

int sticky_group_statistics(struct sticky_group *group, struct sticky_counters *ret_counters,
			    uint32_t count, uint64_t *ret_steered)
{
	struct sticky_cpu_counters sum;
	uint32_t slot;
	int error;

	if (ret_counters->size < COUNTERS_FIRST || count > STICKY_SLOTS_LIMIT)
		return -EINVAL;
	error = engine_count(group->engine, &sum);
	if (error)
		return error;
	for (slot = 0; slot < count; slot++)
		ret_steered[slot] = sum.steered[slot];
	return write_counters(&sum, ret_counters);
}

int sticky_group_counters(struct sticky_group *group, struct sticky_counters *ret_counters)
{
	return sticky_group_statistics(group, ret_counters, 0, NULL);
}

static void fill_slot_info(const struct sticky_group *group, uint32_t index,
			   const struct sticky_cpu_counters *sum, struct sticky_slot_info *ret_info)
{
	const struct slot *slot = &group->slots[index];
	const struct socket_set *present = slot_present(slot);

	*ret_info = (struct sticky_slot_info){
		.generation = slot->generation,
		.holding = !slot->owner,
		.buckets = engine_count_buckets(group->engine, index),
		.queue = socket_set_queue(group, present) + deferred_close_queue(group, index),
		.overflows = slot->overflows + socket_set_overflows(group, present),
		.steered = sum->steered[index],
	};
}

int sticky_group_slot_infos(struct sticky_group *group, uint32_t count,
			    struct sticky_slot_info *ret_infos)
{
	struct sticky_cpu_counters sum;
	size_t size;
	uint32_t slot;
	int error;

	if (count < 1 || ret_infos[0].size < INFO_FIRST)
		return -EINVAL;
	error = engine_count(group->engine, &sum);
	if (error)
		return error;
	size = ret_infos[0].size;
	group_lock(group);
	if (count > group->slot_count) {
		group_unlock(group);
		return -EINVAL;
	}
	for (slot = 0; slot < count; slot++) {
		/* The elements of the caller have the size that the caller's header says. */
		char *element = (char *)ret_infos + slot * size;
		struct sticky_slot_info info;

		fill_slot_info(group, slot, &sum, &info);
		memcpy(element, &size, sizeof(size));
		sized_write(&info, INFO_FIRST, sizeof(info), element);
	}
	group_unlock(group);
	return 0;
}
