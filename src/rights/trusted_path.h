/* SPDX-License-Identifier: MIT */
/* Tells whether only this user and root, or others as well, decide where a path leads to. */
#ifndef STICKY_RIGHTS_TRUSTED_PATH_H
#define STICKY_RIGHTS_TRUSTED_PATH_H

#include <stdbool.h>

/*
 * Returns true if every directory and every symbolic link on the way of a path, the last one
 * included, belongs to our uid or root, and others can't write to the directories. A directory with
 * the sticky bit, such as /tmp, is allowed: only the owner of an entry can change it there. The
 * file at the end may belong to any user.
 *
 * Returns false if another user can make the path lead to any file. The path must then be opened
 * with that user's rights (user_rights.h). Returns false also if the path can't be followed.
 */
bool trusted_path(const char *path);

/* The same for the directory that a file is in. The file need not exist. */
bool trusted_path_of_directory(const char *path);

#endif
