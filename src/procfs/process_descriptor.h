/* SPDX-License-Identifier: MIT */
/* Looks up a thread and a descriptor of another process in /proc. */
#ifndef STICKY_PROCFS_PROCESS_DESCRIPTOR_H
#define STICKY_PROCFS_PROCESS_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

/* Returns the process to which a thread belongs, or -errno. */
pid_t process_of_thread(pid_t tid);

/*
 * Returns the flags of a descriptor, or -errno. The flags are those of open(2), with O_CLOEXEC for
 * close-on-exec. A process of another uid needs CAP_SYS_PTRACE.
 */
int process_descriptor_flags(pid_t pid, int number);

/* Is a descriptor of another process a socket? Returns false, too, if it can't be looked at. */
bool process_descriptor_is_socket(pid_t pid, int number);

#endif
