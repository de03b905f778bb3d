/* SPDX-License-Identifier: MIT */
/* Which process began which: parents and descendants, by proc_pid_stat(5) and proc_pid_children. */
#ifndef STICKY_PROCFS_PROCESS_TREE_H
#define STICKY_PROCFS_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_TREE_MAX     64 /* descendants that are looked at */
#define PROCESS_COMMAND_SIZE 96

struct process_entry {
	pid_t pid;
	pid_t parent;
	pid_t group;
	char state;	/* of proc_pid_stat(5): 'Z' has ended, and is not reaped yet */
	uint64_t start; /* clock ticks since boot: tells it from a later process of this pid */
};

/* Look at a process. Returns 0, or -ESRCH: there is none, or it has ended and was reaped. */
int process_entry_read(pid_t pid, struct process_entry *ret_entry);

/* Does a process descend from another one? A process descends from itself. */
bool process_descends(pid_t pid, pid_t ancestor);

/*
 * List the descendants of a process, without itself. Those whose parents ended belong to another
 * process, and are not found; nor is any on a kernel without CONFIG_PROC_CHILDREN.
 *
 * ret_entries  PROCESS_TREE_MAX elements
 *
 * Returns how many there are, at most PROCESS_TREE_MAX.
 */
size_t process_descendants(pid_t pid, struct process_entry *ret_entries);

/* Write the command line of a process, for a message; its name where it has none; "": it is gone.
 */
void process_command(pid_t pid, char ret_text[PROCESS_COMMAND_SIZE]);

#endif
