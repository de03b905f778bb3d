/* SPDX-License-Identifier: MIT */
/*
 * Processes of a worker that left its process group, by setsid(2) for example. They live on when
 * the group is killed. After the worker has ended, only its cgroup tells which processes belonged
 * to it. If it has no cgroup of its own, they are looked for before the worker is asked to stop,
 * and before it is killed.
 */
#ifndef STICKY_PROCESS_SURVIVORS_H
#define STICKY_PROCESS_SURVIVORS_H

#include "process/worker_cgroup.h"
#include "procfs/process_tree.h"

struct survivors {
	struct process_entry found[PROCESS_TREE_MAX];
	size_t count;
};

/*
 * Note the descendants of a worker that are outside of its process group. Those that were noted
 * earlier stay noted, as a process whose parent has ended is not a descendant any more.
 *
 * leader  the worker's process, which has not been reaped
 */
void survivors_look(struct survivors *survivors, pid_t leader);

/* Note a process, unless it is in the process group of the worker `leader`, or was noted before. */
void survivors_note(struct survivors *survivors, const struct process_entry *entry, pid_t leader);

/* Note in the same way all processes of the worker's cgroup. A worker without one is allowed. */
void survivors_look_in(struct survivors *survivors, const struct worker_cgroup *cgroup,
		       pid_t leader);

/* Forget the processes that are in the worker's cgroup: they were killed, and are about to end. */
void survivors_forget(struct survivors *survivors, const struct worker_cgroup *cgroup);

/* Log the noted processes that live on, and forget them. Call this when the worker has ended. */
void survivors_report(struct survivors *survivors, unsigned int slot, pid_t leader);

#endif
