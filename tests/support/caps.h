/* SPDX-License-Identifier: MIT */
/*
 * Capabilities of the calling thread. Only the effective set is changed, so that capabilities can
 * be raised again.
 */
#ifndef TESTS_SUPPORT_CAPS_H
#define TESTS_SUPPORT_CAPS_H

#include <stdbool.h>
#include <stdint.h>

/* All sets of the thread. Bit n of each is capability n. They are zero if they can't be read. */
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
 * Make capset() fail with EPERM from now on, in this thread and in what it starts. This is done by
 * a seccomp filter, which can't be removed. Returns 0 or -errno.
 */
int caps_freeze(void);

/*
 * Can an open map be used without CAP_BPF? Before Linux 5.19 it can't if
 * kernel.unprivileged_bpf_disabled is not 0.
 */
bool caps_maps_are_free(void);

#endif
