/* SPDX-License-Identifier: MIT */
/* The kernel's list of proxies: the map `proxies`. */
#ifndef STICKY_LIB_BPF_PROXIES_H
#define STICKY_LIB_BPF_PROXIES_H

#include <stddef.h>

#include "lib/bpf_access.h"
#include "sticky.h"

/*
 * Make the map say this list: what is missing is added, then what is too much removed, so that
 * a range that stays is never missing.
 *
 * Returns 0, -E2BIG, -EINVAL, -ENOMEM, or what bpf(2) says.
 */
int proxymap_replace(const struct bpf_access *access, int map, const struct sticky_prefix *proxies,
		     size_t count);

#endif
