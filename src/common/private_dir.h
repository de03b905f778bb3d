/* SPDX-License-Identifier: MIT */
/* Directories that must be ours alone. */
#ifndef STICKY_COMMON_PRIVATE_DIR_H
#define STICKY_COMMON_PRIVATE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Make a directory, with its parents, and see that it is ours: owned by us (or by root),
 * writable by nobody else. A link in its place must be ours (or root's) too.
 *
 * may_be_shared  others may write to it where it is sticky, as /tmp is
 * mode       of what is made; umask does not matter
 * ret_error  what is wrong and what to do, error_size bytes
 *
 * Returns 0, -EPERM (somebody else's, or others can write to it), or another -errno.
 */
int directory_make(const char *path, mode_t mode, bool may_be_shared, char *ret_error,
		   size_t error_size);

#endif
