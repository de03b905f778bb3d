/* SPDX-License-Identifier: MIT */
/* The ranges of proxies in the kernel: the map `proxies`. */
#ifndef STICKY_ENGINE_BPF_PROXIES_H
#define STICKY_ENGINE_BPF_PROXIES_H

#include <stddef.h>

#include "engine/bpf_access.h"
#include "sticky.h"

/*
 * Replace the ranges in the map by a new list. Missing ranges are added before others are removed:
 * a range that is in both lists is never missing in the map.
 *
 * Returns 0, -E2BIG, -EINVAL, -ENOMEM, or another error of bpf(2).
 */
int bpf_proxies_replace(const struct bpf_access *access, int map,
			const struct sticky_prefix *proxies, size_t count);

#endif
