// SPDX-License-Identifier: MIT
#include "hashing.h"

#include "bpf/select.h"
#include "engine/table.h"
#include "hashes.h"
#include "mix.h"

const char *const hash_names[HASH_COUNT] = {
	[HASH_STICKY] = "sticky",
	[HASH_DJB2] = "djb2",
	[HASH_DJB2_BYTES] = "djb2_bytes",
	[HASH_INT31] = "int31",
};

const char *const hash_inputs[HASH_COUNT] = {
	[HASH_STICKY] = "the address's bytes, IPv6 as its /64",
	[HASH_DJB2] = "the address's text, which is given",
	[HASH_DJB2_BYTES] = "the address's bytes",
	[HASH_INT31] = "the address's bytes",
};

void hashing_init(struct hashing *hashing, uint32_t workers)
{
	*hashing = (struct hashing){
		.workers = workers,
		.settings = {.slots = workers,
			     .v4_mask = 0xffffffff,
			     .v6_mask = {0xffffffff, 0xffffffff, 0, 0}},
	};
	table_fill(workers, hashing->table.slots);
	table_shorten(&hashing->table);
	hashing_seed(hashing, 0);
}

void hashing_seed(struct hashing *hashing, uint32_t n)
{
	uint32_t first = 0x5eed0000u + 3 * n;

	hashing->settings.hash_seed[0] = mix32(first);
	hashing->settings.hash_seed[1] = mix32(first + 1);
	/* The module draws a seed below a thousand million. */
	hashing->int31_seed = (int32_t)(mix32(first + 2) % 1000000000u);
}

static inline uint32_t key_hash(const struct sticky_settings *settings,
				const struct binary_address *address)
{
	struct sticky_key key;

	if (address->length == 4)
		sticky_key_v4(settings, address->word[0], &key);
	else
		sticky_key_v6(settings, address->word, &key);
	return sticky_key_hash(settings, &key);
}

static void count_sticky(const struct hashing *hashing, const struct address_set *set,
			 uint32_t *counts)
{
	uint32_t i;

	for (i = 0; i < set->count; i++) {
		uint32_t hash = key_hash(&hashing->settings, &set->binary[i]);

		counts[sticky_table_slot(&hashing->table, sticky_hash_bucket(hash))]++;
	}
}

static void count_djb2(const struct hashing *hashing, const struct address_set *set,
		       uint32_t *counts)
{
	uint32_t workers = hashing->workers, i;

	for (i = 0; i < set->count; i++)
		counts[hash_djb2(set->text[i].text, set->text[i].length) % workers]++;
}

static void count_djb2_bytes(const struct hashing *hashing, const struct address_set *set,
			     uint32_t *counts)
{
	uint32_t workers = hashing->workers, i;

	for (i = 0; i < set->count; i++)
		counts[hash_djb2(set->binary[i].word, set->binary[i].length) % workers]++;
}

static void count_int31(const struct hashing *hashing, const struct address_set *set,
			uint32_t *counts)
{
	uint32_t workers = hashing->workers, i;
	int32_t seed = hashing->int31_seed;

	for (i = 0; i < set->count; i++)
		counts[hash_int31(set->binary[i].word, set->binary[i].length, seed) % workers]++;
}

/* Each hash has a loop of its own, so that no call through a pointer is measured with it. */
typedef void count_fn(const struct hashing *hashing, const struct address_set *set,
		      uint32_t *counts);

static count_fn *const counters[HASH_COUNT] = {
	[HASH_STICKY] = count_sticky,
	[HASH_DJB2] = count_djb2,
	[HASH_DJB2_BYTES] = count_djb2_bytes,
	[HASH_INT31] = count_int31,
};

void hashing_count(const struct hashing *hashing, enum hash_kind kind,
		   const struct address_set *set, uint32_t *counts)
{
	counters[kind](hashing, set, counts);
}

void hashing_key_hashes(const struct hashing *hashing, const struct address_set *set,
			uint32_t *ret_hashes)
{
	uint32_t i;

	for (i = 0; i < set->count; i++)
		ret_hashes[i] = key_hash(&hashing->settings, &set->binary[i]);
}
