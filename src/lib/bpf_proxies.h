/* SPDX-License-Identifier: MIT */
/* The ranges of proxies in the kernel: the map `proxies`. */
#ifndef STICKY_LIB_BPF_PROXIES_H
#define STICKY_LIB_BPF_PROXIES_H

#include <stddef.h>

#include "lib/bpf_access.h"
#include "sticky.h"

/*
 * Replace the ranges in the map by these. Missing ranges are added before others are removed, so
 * that a range that is in both lists is never missing.
 *
 * Returns 0, -E2BIG, -EINVAL, -ENOMEM, or what bpf(2) says.
 */
int bpf_proxies_replace(const struct bpf_access *access, int map,
			const struct sticky_prefix *proxies, size_t count);

#endif
