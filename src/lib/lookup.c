// SPDX-License-Identifier: MIT
#include "lib/lookup.h"

#include <errno.h>
#include <string.h>

#include "engine/address.h"
#include "lib/group_internal.h"

void lookup_refresh(struct sticky_group *group)
{
	struct lookup *lookup = group->lookup;
	uint32_t spare = !lookup->present, bucket;
	struct lookup_table *table = &lookup->tables[spare];

	/* Only this function, under the group's lock, writes tables: nobody reads the spare one. */
	table->settings = *engine_settings(group->engine);
	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++)
		table->slots[bucket] = (uint16_t)engine_slot_of(group->engine, bucket);
	pthread_mutex_lock(&lookup->lock);
	lookup->present = spare;
	pthread_mutex_unlock(&lookup->lock);
}

static int find(const struct lookup_table *table, const struct sockaddr *client, int wants_all,
		struct lookup_result *ret_result)
{
	struct sticky_key key;
	uint32_t bucket;
	int error = address_key(&table->settings, client, &key);

	if (error)
		return error;
	bucket = sticky_hash_bucket(sticky_key_hash(&table->settings, &key));
	ret_result->slot = table->slots[bucket];
	if (wants_all) {
		ret_result->bucket = bucket;
		ret_result->settings = table->settings;
		ret_result->key = key;
	}
	return 0;
}

/* In a child the lock may be locked for ever, by a thread that only the parent has. */
static bool lookup_lock(struct sticky_group *group)
{
	bool locks = !group_is_inherited(group);

	if (locks)
		pthread_mutex_lock(&group->lookup->lock);
	return locks;
}

int lookup_find(struct sticky_group *group, const struct sockaddr *client, int wants_all,
		struct lookup_result *ret_result)
{
	struct lookup *lookup = group->lookup;
	bool is_locked = lookup_lock(group);
	int error = find(&lookup->tables[lookup->present], client, wants_all, ret_result);

	if (is_locked)
		pthread_mutex_unlock(&lookup->lock);
	return error;
}

void lookup_copy(struct sticky_group *group, uint16_t ret_slots[STICKY_BUCKETS])
{
	struct lookup *lookup = group->lookup;
	bool is_locked = lookup_lock(group);

	memcpy(ret_slots, lookup->tables[lookup->present].slots,
	       sizeof(lookup->tables[lookup->present].slots));
	if (is_locked)
		pthread_mutex_unlock(&lookup->lock);
}
