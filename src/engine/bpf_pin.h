/* SPDX-License-Identifier: MIT */
/* Pinned maps: names in a directory of a BPF file system, by which maps outlive the process. */
#ifndef STICKY_ENGINE_BPF_PIN_H
#define STICKY_ENGINE_BPF_PIN_H

#include <bpf/libbpf.h>
#include <stdint.h>

/* Pin a map. Returns 0, -EEXIST (there is a pin of that name, perhaps of another group), or -errno.
 */
int bpf_pin_make(const char *directory, const char *name, const struct bpf_map *map);

/*
 * Use a pinned map instead of a new one. Must be called before the skeleton is loaded. Returns 0,
 * -ENOENT, -EPROTO (the pinned map is of another version), or another -errno.
 */
int bpf_pin_reuse(const char *directory, const char *name, struct bpf_map *map);

/* Remove a pin. It is no error if there is none. */
void bpf_pin_remove(const char *directory, const char *name);

#endif
