/* SPDX-License-Identifier: MIT */
/* The file of --log-file. */
#ifndef STICKY_COMMON_LOG_FILE_H
#define STICKY_COMMON_LOG_FILE_H

#include "common/error_text.h"

/*
 * Open the file to append to it. A file that does not exist is made, with the mode 0640.
 *
 * ret_error  what is wrong, and what the user can do about it
 *
 * Returns a descriptor, which is closed at exec; or -errno.
 */
int log_file_open(const char *path, struct error_text *ret_error);

#endif
