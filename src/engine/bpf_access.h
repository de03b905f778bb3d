/* SPDX-License-Identifier: MIT */
/*
 * Access to BPF maps. Each call is made inside of a region in which the host has raised CAP_BPF.
 *
 * Before Linux 5.19 every bpf(2) command needs CAP_BPF if kernel.unprivileged_bpf_disabled is not
 * 0. That includes look-ups by descriptor (in the kernel: bpf(), sysctl_unprivileged_bpf_disabled).
 * A host that keeps its capabilities lowered says how to raise this one: struct
 * sticky_group_options, raise_bpf. No other file of the library reads or writes a map.
 */
#ifndef STICKY_ENGINE_BPF_ACCESS_H
#define STICKY_ENGINE_BPF_ACCESS_H

#include <stdint.h>

#include "sticky.h"

/* How the host raises CAP_BPF. All members are NULL if it need not be raised. */
struct bpf_access {
	sticky_raise_fn *raise;
	sticky_restore_fn *restore;
	void *context;
};

/*
 * Begin and end a region explicitly, as around the loading of a program. bpf_access_begin() returns
 * the argument `previous` of bpf_access_end(). Regions nest.
 */
unsigned int bpf_access_begin(const struct bpf_access *access);
void bpf_access_end(const struct bpf_access *access, unsigned int previous);

/*
 * BPF_MAP_UPDATE_ELEM (BPF_ANY), BPF_MAP_LOOKUP_ELEM, BPF_MAP_DELETE_ELEM and BPF_MAP_GET_NEXT_KEY
 * of bpf(2). Key and value have the sizes of the map. Return 0 or -errno.
 */
int bpf_access_update(const struct bpf_access *access, int map, const void *key, const void *value);
int bpf_access_lookup(const struct bpf_access *access, int map, const void *key, void *ret_value);
int bpf_access_delete(const struct bpf_access *access, int map, const void *key);
int bpf_access_next_key(const struct bpf_access *access, int map, const void *key, void *ret_key);

/* Create an array of one element. Returns its descriptor or -errno. */
int bpf_access_create_array(const struct bpf_access *access, const char *name, uint32_t value_size);

/*
 * Returns the number of values for which a caller must make room when it reads a per-CPU map. The
 * kernel may write fewer values: the room must be zero before.
 */
int bpf_access_cpus(void);

#endif
