/* SPDX-License-Identifier: MIT */
/* Who decides where a path leads to: this user and root alone, or others as well? */
#ifndef STICKY_RIGHTS_TRUSTED_PATH_H
#define STICKY_RIGHTS_TRUSTED_PATH_H

#include <stdbool.h>

/*
 * Is every directory and every symbolic link on the way of a path, the last one included, in the
 * hands of our uid or root? Others must not be able to write to the directories; in one with the
 * sticky bit, as /tmp is, only the owner of an entry can change it. The file at the end may be
 * anybody's.
 *
 * If not, another user can let the path lead to any file: it is to be opened with that user's
 * rights (user_rights.h).
 *
 * Returns false also where the path can't be followed.
 */
bool trusted_path(const char *path);

/* The same for the directory of a file, which need not exist. */
bool trusted_path_of_directory(const char *path);

#endif
