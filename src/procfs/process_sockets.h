/* SPDX-License-Identifier: MIT */
/* The sockets that a process has open, from /proc/PID/fd. */
#ifndef STICKY_PROCFS_PROCESS_SOCKETS_H
#define STICKY_PROCFS_PROCESS_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Receive a socket's descriptor number and inode number. Returns false to end the walk. */
typedef bool process_socket_found_fn(void *context, int number, uint32_t inode);

/*
 * Call `found` with each socket that a process has open.
 *
 * Returns 0 or -errno: -ENOENT if the process is gone; -EACCES if its descriptors may not be read.
 * A process of another uid, or with capabilities that the caller lacks, needs CAP_SYS_PTRACE.
 */
int process_each_socket(pid_t pid, process_socket_found_fn *found, void *context);

#endif
