/* SPDX-License-Identifier: MIT */
/* Capabilities of the calling thread: only the effective set is changed, so that they can come
 * back. */
#ifndef TESTS_SUPPORT_CAPS_H
#define TESTS_SUPPORT_CAPS_H

#include <stdbool.h>
#include <stdint.h>

/* All sets of the thread, bit n of each is capability n. Zero where they can't be read. */
struct caps_sets {
	uint64_t effective, permitted, inheritable;
};
struct caps_sets caps_read(void);

/* Is a capability (CAP_... of linux/capability.h) effective? */
bool caps_has(int capability);

/* Lower or raise a capability in the effective set. Returns 0 or -errno. */
int caps_set(int capability, bool effective);

/* Give up all capabilities but one, for good. Returns 0 or -errno. */
int caps_keep_only(int capability);

/*
 * From now on capset() fails with EPERM, in this thread and in what it starts: a seccomp filter,
 * which can't be taken away. Returns 0 or -errno.
 */
int caps_freeze(void);

/*
 * Is an open map of use without CAP_BPF? Not before Linux 5.19, where
 * kernel.unprivileged_bpf_disabled is not 0.
 */
bool caps_maps_are_free(void);

#endif
