// SPDX-License-Identifier: MIT
#include "lib/lookup.h"

#include "engine/address.h"
#include "lib/group_internal.h"

void lookup_begin(struct sticky_group *group)
{
	group->lookup->settings = *engine_settings(group->engine);
	lookup_refresh(group);
}

void lookup_refresh(struct sticky_group *group)
{
	struct lookup *lookup = group->lookup;
	uint32_t next = atomic_load_explicit(&lookup->version, memory_order_relaxed) + 1, bucket;

	/* The group's lock lets one thread at a time write. */
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		atomic_store_explicit(&lookup->tables[next % 2][bucket],
				      (uint16_t)engine_slot_of(group->engine, bucket),
				      memory_order_release);
	atomic_store_explicit(&lookup->version, next, memory_order_release);
}

int lookup_find(const struct sticky_group *group, const struct sockaddr *client,
		struct lookup_result *ret_result)
{
	const struct lookup *lookup = group->lookup;
	uint32_t version = atomic_load_explicit(&lookup->version, memory_order_acquire);
	int error = address_key(&lookup->settings, client, &ret_result->key);

	if (error)
		return error;
	ret_result->bucket =
		sticky_hash_bucket(sticky_key_hash(&lookup->settings, &ret_result->key));
	ret_result->slot = atomic_load_explicit(&lookup->tables[version % 2][ret_result->bucket],
						memory_order_relaxed);
	return 0;
}

void lookup_copy(const struct sticky_group *group, uint16_t ret_slots[STICKY_BUCKETS])
{
	const struct lookup *lookup = group->lookup;
	uint32_t version, now = atomic_load_explicit(&lookup->version, memory_order_acquire);
	uint32_t bucket;

	do {
		version = now;
		for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
			ret_slots[bucket] = atomic_load_explicit(
				&lookup->tables[version % 2][bucket], memory_order_acquire);
		now = atomic_load_explicit(&lookup->version, memory_order_acquire);
	} while (now != version);
}
