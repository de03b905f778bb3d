/* SPDX-License-Identifier: MIT */
/* Where the cgroup of this process is: cgroups(7). */
#ifndef STICKY_PROCFS_CGROUP_H
#define STICKY_PROCFS_CGROUP_H

#include <limits.h>

/* Where the hierarchies are mounted. */
#define CGROUP_ROOT "/sys/fs/cgroup"

/*
 * Find this process's cgroup.
 *
 * controller  of version 1, such as "memory"; "": the unified hierarchy of version 2
 * ret_path    inside of the hierarchy, beginning with a slash. In a container it may be the path
 *             outside, which is not there: the container's own cgroup is the root then.
 *
 * Returns 0, or -1 if the process is in no such hierarchy.
 */
int cgroup_find(const char *controller, char ret_path[PATH_MAX]);

#endif
