/* SPDX-License-Identifier: MIT */
/* Which processes have a socket open, and a duplicate of their descriptor. */
#ifndef STICKY_PROCFS_SOCKET_HOLDERS_H
#define STICKY_PROCFS_SOCKET_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Called with each socket of each process: descriptor number and inode number. False: no more. */
typedef bool socket_holder_fn(void *context, pid_t pid, int number, uint32_t inode);

/*
 * Call `found` with each socket that a process of this PID namespace has open. Processes whose
 * descriptors may not be read are left out; see process_each_socket() for what that needs.
 *
 * Returns 0 or -errno: /proc can't be read. Costs a walk over the descriptors of all processes.
 */
int socket_holders_walk(socket_holder_fn *found, void *context);

/*
 * Duplicate a descriptor of another process: close-on-exec, the caller's.
 *
 * cookie  of the socket (SO_COOKIE): the process may have another file at that number by now
 *
 * Returns the descriptor; -ESTALE: it is not this socket any more; -EPERM: a process of another
 * uid, or with capabilities that the caller lacks, needs CAP_SYS_PTRACE; or another -errno.
 */
int socket_holder_fetch(pid_t pid, int number, uint64_t cookie);

/*
 * Returns 1 where a process has a socket open, 0 where it has not, or -errno as
 * process_each_socket(). Costs a walk over its descriptors.
 */
int process_has_socket(pid_t pid, uint32_t inode);

/*
 * Does a process other than the caller have a socket open?
 *
 * group  a process group: its descriptors must be readable, for a certain answer
 *
 * Returns 1: yes; 0: none does; -EACCES: none was found, but not all descriptors of the group may
 * be read; or another -errno. Costs a look at the process with the number `group` where that has
 * it, else a walk over the descriptors of all processes.
 */
int socket_is_held(uint32_t inode, pid_t group);

#endif
