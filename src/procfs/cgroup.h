/* SPDX-License-Identifier: MIT */
/* Finds the cgroup of a process: cgroups(7). */
#ifndef STICKY_PROCFS_CGROUP_H
#define STICKY_PROCFS_CGROUP_H

#include <limits.h>
#include <sys/types.h>

/* The directory in which the hierarchies are mounted. */
#define CGROUP_ROOT "/sys/fs/cgroup"

/*
 * Find this process's cgroup.
 *
 * controller  of version 1, such as "memory"; "": the unified hierarchy of version 2
 * ret_path    inside of the hierarchy, beginning with a slash. In a container this may be the path
 *             outside, which does not exist there: the container's own cgroup is then the root
 *
 * Returns 0, or -1 if the process is in no such hierarchy.
 */
int cgroup_find(const char *controller, char ret_path[PATH_MAX]);

/*
 * Find another process's cgroup in the unified hierarchy of version 2.
 *
 * Returns 0, or -1: the process is gone, or there is no such hierarchy.
 */
int cgroup_find_of(pid_t pid, char ret_path[PATH_MAX]);

#endif
