/* SPDX-License-Identifier: MIT */
/* Finds out whether a process waits for a listening socket's connections. */
#ifndef STICKY_PROCFS_SOCKET_USE_H
#define STICKY_PROCFS_SOCKET_USE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Does a process wait for what happens on a socket? It does if one of its epoll sets contains the
 * socket, or one of its threads is in accept() on it. A process that uses io_uring counts as one
 * that does, as the kernel does not tell.
 *
 * A process that calls poll() or select(), or that is busy at the moment, is not seen to wait.
 *
 * Returns 1, 0 or -errno as process_each_socket(). Costs a walk over the process's descriptors and
 * threads.
 */
int process_waits_for_socket(pid_t pid, uint32_t inode);

#endif
