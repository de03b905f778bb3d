/* SPDX-License-Identifier: MIT */
/*
 * Processes of a worker that left its process group, by setsid(2) for example. They live on when
 * the group is killed. After the worker has ended, nothing tells which worker they belonged to. So
 * they are looked for before the worker is asked to stop, and before it is killed.
 */
#ifndef STICKY_PROCESS_SURVIVORS_H
#define STICKY_PROCESS_SURVIVORS_H

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

/* Log the noted processes that live on, and forget them. Call this when the worker has ended. */
void survivors_report(struct survivors *survivors, unsigned int slot, pid_t leader);

#endif
