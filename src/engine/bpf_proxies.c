// SPDX-License-Identifier: MIT
#include "engine/bpf_proxies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"

static struct sticky_proxy_key key_of(const struct sticky_prefix *prefix)
{
	struct sticky_proxy_key key = {.bits = prefix->bits};

	memcpy(key.address, prefix->address, sizeof(key.address));
	return key;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sticky_proxy_key));
}

static int add_all(const struct bpf_access *access, int map, const struct sticky_proxy_key *keys,
		   size_t count)
{
	uint32_t value = 1;
	size_t i;
	int error = 0;

	for (i = 0; i < count && !error; i++)
		error = bpf_access_update(access, map, &keys[i], &value);
	return error;
}

/* Collect the ranges that are in the map, but not in the list. Returns their number, or -errno. */
static int find_unwanted(const struct bpf_access *access, int map,
			 const struct sticky_proxy_key *keys, size_t count,
			 struct sticky_proxy_key ret_keys[STICKY_PROXIES_ROOM])
{
	struct sticky_proxy_key key, last, *previous = NULL;
	int found = 0, error;

	while (!(error = bpf_access_next_key(access, map, previous, &key))) {
		if (!bsearch(&key, keys, count, sizeof(*keys), compare) &&
		    found < STICKY_PROXIES_ROOM)
			ret_keys[found++] = key;
		last = key;
		previous = &last;
	}
	return error == -ENOENT ? found : error;
}

/*
 * Remove the ranges that are not in the list. All of them are collected before the first one is
 * removed, as each removal may change the order of the trie.
 */
static int remove_unwanted(const struct bpf_access *access, int map,
			   const struct sticky_proxy_key *keys, size_t count)
{
	struct sticky_proxy_key *unwanted = calloc(STICKY_PROXIES_ROOM, sizeof(*unwanted));
	int found, i, error = 0;

	if (!unwanted)
		return -ENOMEM;
	found = find_unwanted(access, map, keys, count, unwanted);
	for (i = 0; i < found && !error; i++)
		error = bpf_access_delete(access, map, &unwanted[i]);
	free(unwanted);
	return found < 0 ? found : error;
}

int bpf_proxies_replace(const struct bpf_access *access, int map,
			const struct sticky_prefix *proxies, size_t count)
{
	struct sticky_proxy_key *keys;
	size_t i;
	int error;

	if (count > STICKY_PROXIES_MAX)
		return -E2BIG;
	keys = calloc(count + 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		keys[i] = key_of(&proxies[i]);
	qsort(keys, count, sizeof(*keys), compare);
	error = add_all(access, map, keys, count);
	if (!error)
		error = remove_unwanted(access, map, keys, count);
	free(keys);
	return error;
}
