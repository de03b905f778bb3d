// SPDX-License-Identifier: MIT
#include "proxymap.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/abi.h"

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

static int add_all(int map_fd, const struct sticky_proxy_key *keys, size_t count)
{
	uint32_t value = 1;
	size_t i;
	int error = 0;

	for (i = 0; i < count && !error; i++)
		error = bpf_map_update_elem(map_fd, &keys[i], &value, BPF_ANY);
	return error;
}

/* One that is not wanted; -ENOENT: there is none. */
static int find_unwanted(int map_fd, const struct sticky_proxy_key *keys, size_t count,
			 struct sticky_proxy_key *ret_key)
{
	struct sticky_proxy_key former, *previous = NULL;
	int error;

	while (!(error = bpf_map_get_next_key(map_fd, previous, ret_key))) {
		if (!bsearch(ret_key, keys, count, sizeof(*keys), compare))
			return 0;
		former = *ret_key;
		previous = &former;
	}
	return error;
}

static int remove_unwanted(int map_fd, const struct sticky_proxy_key *keys, size_t count)
{
	struct sticky_proxy_key key;
	uint32_t i;
	int error = 0;

	/* From the beginning after each removal: the order of a trie changes with it. */
	for (i = 0; i < STICKY_PROXIES_MAX && !error; i++) {
		error = find_unwanted(map_fd, keys, count, &key);
		if (!error)
			error = bpf_map_delete_elem(map_fd, &key);
	}
	return error == -ENOENT ? 0 : error;
}

int proxymap_replace(int map_fd, const struct sticky_prefix *proxies, size_t count)
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
	error = add_all(map_fd, keys, count);
	if (!error)
		error = remove_unwanted(map_fd, keys, count);
	free(keys);
	return error;
}
