/* SPDX-License-Identifier: MIT */
/* The sockets that a process has open, by /proc/PID/fd. */
#ifndef STICKY_PROCFS_PROCESS_SOCKETS_H
#define STICKY_PROCFS_PROCESS_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* number: of the descriptor. Returns false to end the walk. */
typedef bool procfd_found_fn(void *context, int number, uint32_t inode);

/*
 * Returns 0, or -errno: -EACCES where we may not look (CAP_SYS_PTRACE, of a process of another uid
 * or with capabilities of its own), -ENOENT where it is gone.
 */
int procfd_each_socket(pid_t pid, procfd_found_fn *found, void *context);

#endif
