/* SPDX-License-Identifier: MIT */
/* Finds the processes that have a socket open, and duplicates their descriptors. */
#ifndef STICKY_PROCFS_SOCKET_HOLDERS_H
#define STICKY_PROCFS_SOCKET_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Receive a socket of a process: descriptor number and inode number. Returns false to end the walk.
 */
typedef bool socket_holder_fn(void *context, pid_t pid, int number, uint32_t inode);

/*
 * Call `found` with each socket that a process of this PID namespace has open. Processes whose
 * descriptors may not be read are left out: see process_each_socket() for the rights that this
 * needs.
 *
 * Returns 0, or -errno if /proc can't be read. Costs a walk over the descriptors of all processes.
 */
int socket_holders_walk(socket_holder_fn *found, void *context);

/*
 * Duplicate a descriptor of another process. The duplicate is close-on-exec, and the caller's.
 *
 * cookie  of the socket (SO_COOKIE), as the process may have another file at that number by now
 *
 * Returns the descriptor; -ESTALE: the descriptor is not this socket any more; -EPERM: a process of
 * another uid, or with capabilities that the caller lacks, needs CAP_SYS_PTRACE; or another -errno.
 */
int socket_holder_fetch(pid_t pid, int number, uint64_t cookie);

/*
 * Does a process have a socket open? Returns 1, 0, or -errno as process_each_socket(). Costs a walk
 * over the process's descriptors.
 */
int process_has_socket(pid_t pid, uint32_t inode);

/*
 * Does a process other than the caller have a socket open?
 *
 * group  a process group whose descriptors must all be readable for the answer 0
 *
 * Returns 1: yes; 0: no; -EACCES: none was found, but not all descriptors of the group may be read;
 * -ESRCH: none was found, and the group's leader has ended; or another -errno. Costs a walk over
 * the descriptors of the group's leader, and if the leader does not have the socket, over the
 * descriptors of all processes.
 */
int socket_is_held(uint32_t inode, pid_t group);

#endif
