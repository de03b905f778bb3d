// SPDX-License-Identifier: MIT
#include "api/client_ranking.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- Addresses ---------------------------------------------------------------------- */

static struct client_address address_of(const struct sockaddr *peer)
{
	const struct sockaddr_in6 *v6 = (const void *)peer;
	const struct sockaddr_in *v4 = (const void *)peer;
	struct client_address address = {.is_v6 = peer->sa_family == AF_INET6};

	if (address.is_v6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		address.is_v6 = false;
		memcpy(address.bytes, v6->sin6_addr.s6_addr + 12, 4);
	} else if (address.is_v6) {
		memcpy(address.bytes, &v6->sin6_addr, sizeof(address.bytes));
	} else {
		memcpy(address.bytes, &v4->sin_addr, 4);
	}
	return address;
}

static void to_sockaddr(const struct client_address *address, struct sockaddr_storage *ret_peer)
{
	struct sockaddr_in6 *v6 = (void *)ret_peer;
	struct sockaddr_in *v4 = (void *)ret_peer;

	*ret_peer = (struct sockaddr_storage){.ss_family = address->is_v6 ? AF_INET6 : AF_INET};
	if (address->is_v6)
		memcpy(&v6->sin6_addr, address->bytes, sizeof(v6->sin6_addr));
	else
		memcpy(&v4->sin_addr, address->bytes, sizeof(v4->sin_addr));
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct client_address));
}

static int grow(struct client_addresses *addresses)
{
	size_t room = addresses->room ? 2 * addresses->room : 1024;
	struct client_address *items;

	if (room > CLIENT_CONNECTIONS_MAX)
		return -E2BIG;
	items = realloc(addresses->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	addresses->items = items;
	addresses->room = room;
	return 0;
}

int client_addresses_add(struct client_addresses *addresses, const struct sockaddr *peer)
{
	int error = addresses->count == addresses->room ? grow(addresses) : 0;

	if (!error)
		addresses->items[addresses->count++] = address_of(peer);
	return error;
}

void client_addresses_fini(struct client_addresses *addresses)
{
	free(addresses->items);
	*addresses = (struct client_addresses){0};
}

/* ---- The ranking -------------------------------------------------------------------- */

/* Put a key into its place among the kept keys, and drop the last one if there are too many. */
static void rank(struct client_ranking *ranking, uint32_t limit, const struct client_count *count)
{
	uint32_t place = ranking->top_count;

	while (place && ranking->top[place - 1].connections < count->connections)
		place--;
	if (place == limit)
		return;
	if (ranking->top_count < limit)
		ranking->top_count++;
	memmove(&ranking->top[place + 1], &ranking->top[place],
		(ranking->top_count - place - 1) * sizeof(*count));
	ranking->top[place] = *count;
}

static void add_key(struct client_ranking *ranking, int only_slot, uint32_t limit,
		    const struct client_count *count)
{
	int slot = count->key.slot;

	if (!count->connections)
		return;
	ranking->connections += count->connections;
	if (slot == CLIENT_OF_NO_SLOT)
		ranking->proxied += count->connections;
	else
		ranking->of_slot[slot] += count->connections;
	if (only_slot != CLIENT_OF_NO_SLOT && slot != only_slot)
		return;
	ranking->keys++;
	rank(ranking, limit, count);
}

/* Returns how many connections from `first` on have the same address. */
static uint32_t same_from(const struct client_addresses *addresses, size_t first)
{
	size_t next = first + 1;

	while (next < addresses->count &&
	       !compare(&addresses->items[first], &addresses->items[next]))
		next++;
	return (uint32_t)(next - first);
}

static int count_keys(const struct client_addresses *addresses, int only_slot, uint32_t limit,
		      client_key_fn *key_of, void *context, struct client_ranking *ranking)
{
	struct client_count present = {.connections = 0};
	size_t i = 0;

	while (i < addresses->count) {
		uint32_t same = same_from(addresses, i);
		struct sockaddr_storage address;
		struct client_key key;
		int error;

		to_sockaddr(&addresses->items[i], &address);
		error = key_of(context, (const void *)&address, &key);
		if (error)
			return error;
		if (present.key.slot != key.slot || strcmp(present.key.text, key.text)) {
			add_key(ranking, only_slot, limit, &present);
			present = (struct client_count){.key = key};
		}
		present.connections += same;
		i += same;
	}
	add_key(ranking, only_slot, limit, &present);
	return 0;
}

int client_ranking_make(struct client_addresses *addresses, int only_slot, uint32_t limit,
			client_key_fn *key_of, void *context, struct client_ranking *ret_ranking)
{
	struct client_ranking ranking = {.top = calloc(limit, sizeof(*ranking.top))};
	int error;

	if (!ranking.top)
		return -ENOMEM;
	if (addresses->count)
		qsort(addresses->items, addresses->count, sizeof(*addresses->items), compare);
	error = count_keys(addresses, only_slot, limit, key_of, context, &ranking);
	if (error)
		client_ranking_fini(&ranking);
	else
		*ret_ranking = ranking;
	return error;
}

void client_ranking_fini(struct client_ranking *ranking)
{
	free(ranking->top);
	ranking->top = NULL;
}
