/* SPDX-License-Identifier: MIT */
/*
 * Finds the clients with the most open connections. The addresses of connections are added in any
 * order. Then the connections are counted by key, and the keys with the most of them are kept.
 * Pure, except for the memory.
 */
#ifndef STICKY_API_CLIENT_RANKING_H
#define STICKY_API_CLIENT_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"

#define CLIENT_CONNECTIONS_MAX (1u << 20) /* connections that are counted: 17 MB for a moment */
#define CLIENT_LIMIT_MAX       1000	  /* keys that are kept */
#define CLIENT_OF_NO_SLOT      (-1)

/* A client's address. IPv4 comes before IPv6, so that the addresses of a key stand together. */
struct client_address {
	uint8_t is_v6;
	uint8_t bytes[16]; /* network order; IPv4: the first 4 bytes */
};

/* The addresses of connections, one for each. All zero is an empty list. */
struct client_addresses {
	struct client_address *items;
	size_t count;
	size_t room;
};

/*
 * Add the address of a connection. A v4-mapped address is the IPv4 address.
 *
 * Returns 0, -E2BIG (CLIENT_CONNECTIONS_MAX) or -ENOMEM.
 */
int client_addresses_add(struct client_addresses *addresses, const struct sockaddr *peer);

void client_addresses_fini(struct client_addresses *addresses);

/* The key that an address belongs to. */
struct client_key {
	char text[STICKY_ADDRESS_TEXT_SIZE]; /* "203.0.113.9/32" */
	int slot;			     /* CLIENT_OF_NO_SLOT: the key is of a proxy */
};

/* Find the key of an address. Returns 0 or -errno, which ends the count. */
typedef int client_key_fn(void *context, const struct sockaddr *address,
			  struct client_key *ret_key);

struct client_count {
	struct client_key key;
	uint32_t connections;
};

struct client_ranking {
	struct client_count *top; /* the key with the most connections first */
	uint32_t top_count;
	uint32_t keys;	      /* number of keys, including those that are not kept */
	uint32_t connections; /* number of connections of all keys and slots */
	uint32_t proxied;     /* number of connections of CLIENT_OF_NO_SLOT */
	uint32_t of_slot[STICKY_SLOTS_LIMIT]; /* number of connections of each slot */
};

/*
 * Count connections by key.
 *
 * addresses    are sorted here
 * only_slot    count and keep only the keys of this slot; CLIENT_OF_NO_SLOT: all keys
 * limit        number of keys to keep, 1 to CLIENT_LIMIT_MAX
 * key_of       finds the key; called once for each different address
 * ret_ranking  freed by client_ranking_fini()
 *
 * Returns 0, -ENOMEM, or an error of `key_of`. Costs a sort of the addresses.
 */
int client_ranking_make(struct client_addresses *addresses, int only_slot, uint32_t limit,
			client_key_fn *key_of, void *context, struct client_ranking *ret_ranking);

void client_ranking_fini(struct client_ranking *ranking);

#endif
