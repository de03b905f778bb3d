// SPDX-License-Identifier: MIT
#include "moves.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/table.h"
#include "scatter.h"

/* Clients, and their workers before and after the change. */
struct clients {
	uint32_t count;
	uint32_t *hashes;
	uint16_t *before, *after;
};

static void clients_close(struct clients *clients)
{
	free(clients->hashes);
	free(clients->before);
	free(clients->after);
}

static int clients_open(uint32_t count, struct clients *ret_clients)
{
	struct clients clients = {
		.count = count,
		.hashes = calloc(count, sizeof(*clients.hashes)),
		.before = calloc(count, sizeof(*clients.before)),
		.after = calloc(count, sizeof(*clients.after)),
	};

	if (!clients.hashes || !clients.before || !clients.after) {
		clients_close(&clients);
		return -ENOMEM;
	}
	*ret_clients = clients;
	return 0;
}

static double share_moved(const struct clients *clients)
{
	uint32_t moved = 0, i;

	for (i = 0; i < clients->count; i++)
		moved += clients->before[i] != clients->after[i];
	return (double)moved / clients->count;
}

static double max_min_before(const struct clients *clients, uint32_t workers)
{
	uint32_t counts[STICKY_SLOTS_MAX] = {0}, i;

	for (i = 0; i < clients->count; i++)
		counts[clients->before[i]]++;
	return scatter_max_min(counts, workers);
}

static double share_of_buckets(uint32_t workers)
{
	uint16_t before[STICKY_BUCKETS], after[STICKY_BUCKETS];

	table_fill(workers, before);
	table_fill(workers + 1, after);
	return (double)table_difference(before, after) / STICKY_BUCKETS;
}

static void add_worker(enum placing_kind kind, struct clients *clients, struct moves *moves)
{
	placing_place(kind, clients->hashes, clients->count, moves->of, clients->before);
	placing_place(kind, clients->hashes, clients->count, moves->of + 1, clients->after);
	sample_add(&moves->moved[kind], share_moved(clients));
	sample_add(&moves->max_min[kind], max_min_before(clients, moves->of));
}

int moves_measure(struct hashing *hashing, const struct address_set *set, uint32_t rounds,
		  struct moves *ret_moves)
{
	struct clients clients;
	int error = clients_open(set->count, &clients), kind;
	uint32_t round;

	if (error)
		return error;
	ret_moves->buckets = share_of_buckets(ret_moves->of);
	for (round = 0; round < rounds; round++) {
		hashing_seed(hashing, round);
		hashing_key_hashes(hashing, set, clients.hashes);
		for (kind = 0; kind < PLACING_COUNT; kind++)
			add_worker((enum placing_kind)kind, &clients, ret_moves);
	}
	clients_close(&clients);
	return 0;
}
