/* SPDX-License-Identifier: MIT */
/*
 * All descriptors of the process from a number on, for a child between fork() and exec. As
 * close_range(2), which Linux has from 5.9 on, and its flag for close-on-exec from 5.11 on. Some
 * containers' seccomp profiles do not know it, and refuse it.
 *
 * Async-signal-safe.
 */
#ifndef STICKY_COMMON_DESCRIPTOR_RANGE_H
#define STICKY_COMMON_DESCRIPTOR_RANGE_H

/* Both return 0, or -1 and set errno. */
int descriptors_set_cloexec_from(int first);
int descriptors_close_from(int first);

#endif
