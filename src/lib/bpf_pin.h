/* SPDX-License-Identifier: MIT */
/* Maps by name in a directory of a BPF file system, so that they outlive the process. */
#ifndef STICKY_LIB_BPF_PIN_H
#define STICKY_LIB_BPF_PIN_H

#include <bpf/libbpf.h>
#include <stdint.h>

/* Pin a map; what is there by that name is replaced. Returns 0 or -errno. */
int mappin_make(const char *directory, const char *name, const struct bpf_map *map);

/*
 * Use a pinned map in the place of a new one: before the skeleton is loaded.
 * Returns 0, -ENOENT, -EPROTO (of another version), or another -errno.
 */
int mappin_reuse(const char *directory, const char *name, struct bpf_map *map);

/* Also where it is not there. */
void mappin_remove(const char *directory, const char *name);

#endif
