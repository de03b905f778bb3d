/* SPDX-License-Identifier: MIT */
/* Finds the cgroup of this process: cgroups(7). */
#ifndef STICKY_PROCFS_CGROUP_H
#define STICKY_PROCFS_CGROUP_H

#include <limits.h>

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

#endif
