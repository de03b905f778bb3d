/* SPDX-License-Identifier: MIT */
/* The state of a process at this moment, from /proc/PID/stat. */
#ifndef STICKY_PROCFS_PROCESS_STATE_H
#define STICKY_PROCFS_PROCESS_STATE_H

#include <stdint.h>
#include <sys/types.h>

struct process_state {
	char letter;	 /* of proc_pid_stat(5): 'R' runs, 'S' sleeps, 'T' and 't' stopped, ... */
	uint64_t cpu_ms; /* CPU time that all its threads have used so far */
};

/*
 * Read the state of a process. Returns 0 or -errno: -ENOENT or -ESRCH if there is no such process.
 */
int process_state_read(pid_t pid, struct process_state *ret_state);

#endif
