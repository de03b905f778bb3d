/* SPDX-License-Identifier: MIT */
/*
 * Changes all descriptors of the process from a number on, for a child between fork() and exec.
 * close_range(2) does this since Linux 5.9, and its flag for close-on-exec since 5.11. Where the
 * kernel lacks them, or a container's seccomp profile refuses them, the descriptors are changed one
 * by one.
 *
 * Async-signal-safe.
 */
#ifndef STICKY_COMMON_DESCRIPTOR_RANGE_H
#define STICKY_COMMON_DESCRIPTOR_RANGE_H

/* Both return 0, or -1 and set errno. */
int descriptors_set_cloexec_from(int first);
int descriptors_close_from(int first);

#endif
