/* SPDX-License-Identifier: MIT */
/* The environment that a process was started with, from /proc/PID/environ. */
#ifndef STICKY_PROCFS_PROCESS_ENVIRONMENT_H
#define STICKY_PROCFS_PROCESS_ENVIRONMENT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Read the environment: strings, each with its NUL.
 *
 * size  of ret_text in bytes; what does not fit in is left out
 *
 * Returns its length; 0: it is empty, or may not be read. That of a process of another uid, or with
 * capabilities that this process does not have, needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
 */
size_t process_environment_read(pid_t pid, size_t size, char *ret_text);

/* Returns the value of a variable in such a text of `length` bytes; NULL: it is not there. */
const char *process_environment_value(const char *text, size_t length, const char *name);

#endif
