/* SPDX-License-Identifier: MIT */
/*
 * Processes of a worker that left its process group, by setsid(2) for example, and so live on when
 * the group is killed. Once the worker has ended, nothing tells whose they were: they are looked
 * for while it lives, before it is asked to stop and before it is killed.
 */
#ifndef STICKY_PROCESS_SURVIVORS_H
#define STICKY_PROCESS_SURVIVORS_H

#include "procfs/process_tree.h"

struct survivors {
	struct process_entry found[PROCESS_TREE_MAX];
	size_t count;
};

/*
 * Note the descendants of a worker that are outside of its process group, in addition to those that
 * were noted before: the descendants of a worker that is about to end are not its own any more.
 *
 * leader  the worker's process, which has not been reaped
 */
void survivors_look(struct survivors *survivors, pid_t leader);

/* The worker has ended: log those that live on, once, and forget them. */
void survivors_report(struct survivors *survivors, unsigned int slot, pid_t leader);

#endif
