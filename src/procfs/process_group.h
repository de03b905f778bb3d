/* SPDX-License-Identifier: MIT */
/* The processes of a process group, from /proc. */
#ifndef STICKY_PROCFS_PROCESS_GROUP_H
#define STICKY_PROCFS_PROCESS_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* Receive a process of the group. Returns false to end the walk. */
typedef bool process_group_found_fn(void *context, pid_t pid);

/* Call `found` with each process of a group, in any order. Returns 0 or -errno. */
int process_group_each(pid_t group, process_group_found_fn *found, void *context);

#endif
