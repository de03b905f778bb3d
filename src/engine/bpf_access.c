// SPDX-License-Identifier: MIT
#include "engine/bpf_access.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

unsigned int bpf_access_begin(const struct bpf_access *access)
{
	return access->raise ? access->raise(access->context) : 0;
}

void bpf_access_end(const struct bpf_access *access, unsigned int previous)
{
	if (access->restore)
		access->restore(access->context, previous);
}

int bpf_access_update(const struct bpf_access *access, int map, const void *key, const void *value)
{
	unsigned int previous = bpf_access_begin(access);
	int error = bpf_map_update_elem(map, key, value, BPF_ANY);

	bpf_access_end(access, previous);
	return error;
}

int bpf_access_lookup(const struct bpf_access *access, int map, const void *key, void *ret_value)
{
	unsigned int previous = bpf_access_begin(access);
	int error = bpf_map_lookup_elem(map, key, ret_value);

	bpf_access_end(access, previous);
	return error;
}

int bpf_access_delete(const struct bpf_access *access, int map, const void *key)
{
	unsigned int previous = bpf_access_begin(access);
	int error = bpf_map_delete_elem(map, key);

	bpf_access_end(access, previous);
	return error;
}

int bpf_access_next_key(const struct bpf_access *access, int map, const void *key, void *ret_key)
{
	unsigned int previous = bpf_access_begin(access);
	int error = bpf_map_get_next_key(map, key, ret_key);

	bpf_access_end(access, previous);
	return error;
}

int bpf_access_create_array(const struct bpf_access *access, const char *name, uint32_t value_size)
{
	unsigned int previous = bpf_access_begin(access);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), value_size, 1, NULL);

	bpf_access_end(access, previous);
	return map;
}

/*
 * No kernel has a larger CONFIG_NR_CPUS. This is used without sysfs, where the number is unknown.
 */
#define CPUS_MAX 8192

int bpf_access_cpus(void)
{
	int cpus = libbpf_num_possible_cpus();

	return cpus > 0 ? cpus : CPUS_MAX;
}
