/* SPDX-License-Identifier: MIT */
/* Directories that must be ours alone. */
#ifndef STICKY_CONTROLLER_DIRECTORY_H
#define STICKY_CONTROLLER_DIRECTORY_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Make a directory, with its parents, and see that it is ours: owned by us (or by root),
 * writable by nobody else.
 *
 * mode       of what is made; umask does not matter
 * ret_error  what is wrong and what to do, error_size bytes
 *
 * Returns 0, -EPERM (somebody else's, or others can write to it), or another -errno.
 */
int directory_make(const char *path, mode_t mode, char *ret_error, size_t error_size);

#endif
