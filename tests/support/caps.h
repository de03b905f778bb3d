/* SPDX-License-Identifier: MIT */
/* Capabilities of the calling thread: only the effective set, so that they can come back. */
#ifndef TESTS_SUPPORT_CAPS_H
#define TESTS_SUPPORT_CAPS_H

#include <stdbool.h>

/* Is a capability (CAP_... of linux/capability.h) effective? */
bool caps_has(int capability);

/* Lower or raise a capability in the effective set. Returns 0 or -errno. */
int caps_set(int capability, bool effective);

#endif
