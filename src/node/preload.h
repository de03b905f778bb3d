/* SPDX-License-Identifier: MIT */
/*
 * A script that Node.js workers load first. It does what Node.js's cluster module does not know of,
 * at messages of the controller: see preload.js and preload_messages.h.
 */
#ifndef STICKY_NODE_PRELOAD_H
#define STICKY_NODE_PRELOAD_H

#include "common/user_rights.h"

/* Write the script to a file that every user may read. Returns 0 or -errno. */
int preload_write(const char *path);

/*
 * Can the workers' user read the file? A directory above it may forbid that, and Node.js does not
 * start where it can't read the script.
 *
 * rights  of the workers' user
 *
 * Returns 0 or -errno.
 */
int preload_check(const char *path, const struct user_rights *rights);

#endif
