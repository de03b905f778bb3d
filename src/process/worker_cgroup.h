/* SPDX-License-Identifier: MIT */
/*
 * A cgroup of version 2 for each worker, below the controller's own. A process can leave its
 * process group by setsid(2), but not its cgroup: so the cgroup tells which processes are the
 * worker's, and cgroup.kill ends them all.
 *
 * Workers have one only where the controller's own cgroup is delegated to it: it may write there,
 * and either the cgroup has the extended attribute of systemd's Delegate=, or it is the root of a
 * cgroup namespace, as in a container. The controllers (memory, cpu) stay with the controller's own
 * cgroup, whose limits and counts hold for the cgroups below. In these there is no file memory.max
 * or cpu.max, though, and Node.js, Java and others look for their limits there alone. Where the own
 * cgroup has such a limit, workers therefore stay in it.
 *
 * Nothing here fails for the caller: a worker without a cgroup of its own is ended by its process
 * group alone.
 */
#ifndef STICKY_PROCESS_WORKER_CGROUP_H
#define STICKY_PROCESS_WORKER_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define WORKER_CGROUPS_LEFT_MAX 32

struct worker_cgroup {
	char *path;  /* its directory; NULL: none */
	bool killed; /* all of its processes were killed */
};

/* Directories that could not be removed yet, as processes were still there. */
struct worker_cgroups_left {
	char *paths[WORKER_CGROUPS_LEFT_MAX];
};

/*
 * Make the cgroup of a worker that is about to start.
 *
 * Returns a descriptor of its cgroup.procs, for spawn_request.cgroup, which the caller closes; -1:
 * there is no cgroup of its own.
 */
int worker_cgroup_make(const char *instance, unsigned int slot, uint64_t generation,
		       struct worker_cgroup *ret_cgroup);

/* Find the cgroup of a worker that a previous controller began. */
void worker_cgroup_adopt(const char *instance, pid_t pid, struct worker_cgroup *ret_cgroup);

/* Is the process in this cgroup? */
bool worker_cgroup_holds(const struct worker_cgroup *cgroup, pid_t pid);

/* Open the list of its processes, a pid a line. Returns NULL if there is none. */
FILE *worker_cgroup_processes(const struct worker_cgroup *cgroup);

/* Send SIGKILL to all processes in the cgroup, also to those that they are about to fork. */
void worker_cgroup_kill(struct worker_cgroup *cgroup);

/*
 * Remove the directory of a worker that has ended, or note it: processes that live on keep it, and
 * those that have been killed for a moment. A worker without one is allowed.
 */
void worker_cgroup_remove(struct worker_cgroup *cgroup, struct worker_cgroups_left *left);

/* Remove the directories that were noted. Returns true if some are still there. */
bool worker_cgroups_remove_left(struct worker_cgroups_left *left);

/*
 * Remove what was noted, and all other directories of the instance that are empty. No worker may be
 * starting. It waits for processes that have been killed and have not ended yet, at most 100 ms.
 */
void worker_cgroups_clean(const char *instance, struct worker_cgroups_left *left);

#endif
