/* SPDX-License-Identifier: MIT */
/* Parents and descendants of processes, by proc_pid_stat(5) and proc_pid_children. */
#ifndef STICKY_PROCFS_PROCESS_TREE_H
#define STICKY_PROCFS_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_TREE_MAX     64 /* number of descendants that are listed at most */
#define PROCESS_COMMAND_SIZE 96

struct process_entry {
	pid_t pid;
	pid_t parent;
	pid_t group;
	char state;	/* as in proc_pid_stat(5); 'Z': it has ended, and is not reaped yet */
	uint64_t start; /* clock ticks since boot; another process with this pid has another */
};

/* Look at a process. Returns 0, or -ESRCH: there is none, or it has ended and was reaped. */
int process_entry_read(pid_t pid, struct process_entry *ret_entry);

/* Does a process descend from another one? A process descends from itself. */
bool process_descends(pid_t pid, pid_t ancestor);

/*
 * List the descendants of a process, without the process itself. A descendant whose parent has
 * ended belongs to another process, and is not found. On a kernel without CONFIG_PROC_CHILDREN none
 * is found.
 *
 * ret_entries  PROCESS_TREE_MAX elements
 *
 * Returns the number of descendants, at most PROCESS_TREE_MAX.
 */
size_t process_descendants(pid_t pid, struct process_entry *ret_entries);

/*
 * Write the command line of a process, for a message. A process without one has its name written;
 * "": there is no such process.
 */
void process_command(pid_t pid, char ret_text[PROCESS_COMMAND_SIZE]);

#endif
