// SPDX-License-Identifier: MIT
#include "placing.h"

#include <assert.h>
#include <string.h>

#include "bpf/select.h"
#include "engine/table.h"
#include "mix.h"

const char *const placing_names[PLACING_COUNT] = {
	[PLACING_TABLE] = "table",
	[PLACING_MODULO] = "modulo",
	[PLACING_RENDEZVOUS] = "rendezvous",
	[PLACING_MAGLEV] = "maglev",
};

static void place_by_table(const uint32_t *hashes, uint32_t count, uint32_t workers,
			   uint16_t *ret_slots)
{
	uint16_t table[STICKY_BUCKETS];
	uint32_t i;

	table_fill(workers, table);
	for (i = 0; i < count; i++)
		ret_slots[i] = table[sticky_hash_bucket(hashes[i])];
}

static void place_by_modulo(const uint32_t *hashes, uint32_t count, uint32_t workers,
			    uint16_t *ret_slots)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		ret_slots[i] = (uint16_t)(hashes[i] % workers);
}

static uint16_t find_heaviest(uint32_t hash, uint32_t workers)
{
	uint64_t highest = 0;
	uint32_t worker, heaviest = 0;

	for (worker = 0; worker < workers; worker++) {
		uint64_t weight = mix64((uint64_t)worker << 32 | hash);

		if (weight > highest) {
			highest = weight;
			heaviest = worker;
		}
	}
	return (uint16_t)heaviest;
}

static void place_by_rendezvous(const uint32_t *hashes, uint32_t count, uint32_t workers,
				uint16_t *ret_slots)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		ret_slots[i] = find_heaviest(hashes[i], workers);
}

/* The position of a worker in its own order of all entries: offset, offset + skip, ... */
struct preference {
	uint32_t entry;
	uint32_t skip;
};

#define MAGLEV_ENTRIES 65537 /* a prime: the smaller table of the paper */
#define NOBODY	       UINT16_MAX

/* Take the first entry of a worker's order that no worker has yet. */
static uint32_t take_free_entry(struct preference *preference, const uint16_t *entries)
{
	uint32_t entry = preference->entry;

	while (entries[entry] != NOBODY)
		entry = (entry + preference->skip) % MAGLEV_ENTRIES;
	preference->entry = entry;
	return entry;
}

/* Fill Maglev's table: each entry is a worker. */
static void fill_maglev(uint32_t workers, uint16_t *ret_entries)
{
	struct preference preferences[STICKY_SLOTS_MAX];
	uint32_t worker = 0, i;

	assert(workers);
	for (i = 0; i < workers; i++) {
		/* These are two hashes of the worker's name, which is its number. */
		preferences[i].entry = (uint32_t)(mix64(2 * i + 1) % MAGLEV_ENTRIES);
		preferences[i].skip = (uint32_t)(mix64(2 * i + 2) % (MAGLEV_ENTRIES - 1) + 1);
	}
	memset(ret_entries, 0xff, MAGLEV_ENTRIES * sizeof(*ret_entries));
	/* In turn, each worker takes the first free entry of its order. */
	for (i = 0; i < MAGLEV_ENTRIES; i++) {
		ret_entries[take_free_entry(&preferences[worker], ret_entries)] = (uint16_t)worker;
		worker = worker + 1 < workers ? worker + 1 : 0;
	}
}

static void place_by_maglev(const uint32_t *hashes, uint32_t count, uint32_t workers,
			    uint16_t *ret_slots)
{
	uint16_t entries[MAGLEV_ENTRIES];
	uint32_t i;

	fill_maglev(workers, entries);
	for (i = 0; i < count; i++)
		ret_slots[i] = entries[hashes[i] % MAGLEV_ENTRIES];
}

typedef void place_fn(const uint32_t *hashes, uint32_t count, uint32_t workers,
		      uint16_t *ret_slots);

static place_fn *const placers[PLACING_COUNT] = {
	[PLACING_TABLE] = place_by_table,
	[PLACING_MODULO] = place_by_modulo,
	[PLACING_RENDEZVOUS] = place_by_rendezvous,
	[PLACING_MAGLEV] = place_by_maglev,
};

void placing_place(enum placing_kind kind, const uint32_t *hashes, uint32_t count, uint32_t workers,
		   uint16_t *ret_slots)
{
	placers[kind](hashes, count, workers, ret_slots);
}
