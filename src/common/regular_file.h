/* SPDX-License-Identifier: MIT */
/* Files that are read while the controller serves, and that may have been exchanged for others. */
#ifndef STICKY_COMMON_REGULAR_FILE_H
#define STICKY_COMMON_REGULAR_FILE_H

#include <stdio.h>
#include <sys/types.h>

/*
 * Open a regular file for reading. A FIFO or a device is refused: the controller could wait for it
 * for ever, or read without end.
 *
 * max  its largest size in bytes
 *
 * Returns 0, -EINVAL (it is no regular file), -EFBIG (it is larger), or another -errno.
 */
int regular_file_open(const char *path, off_t max, FILE **ret_file);

/* Returns a text for an error of regular_file_open(). */
const char *regular_file_error(int error);

#endif
