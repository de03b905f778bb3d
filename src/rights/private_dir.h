/* SPDX-License-Identifier: MIT */
/* Directories that only this user may write to. */
#ifndef STICKY_RIGHTS_PRIVATE_DIR_H
#define STICKY_RIGHTS_PRIVATE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error_text.h"

/*
 * Make a directory and its parents, and check that no other user can change it: it must belong to
 * this process's uid or to root, and others must not be able to write to it. A symbolic link in its
 * place must belong to this uid or to root, too.
 *
 * mode           of directories that are made; not changed by umask
 * may_be_shared  others may write to the directory if it has the sticky bit, as /tmp has
 * ret_error      what is wrong, and what the user can do about it
 *
 * Returns 0, -EPERM (it belongs to another user, or others can write to it), or another -errno.
 */
int directory_make(const char *path, mode_t mode, bool may_be_shared, struct error_text *ret_error);

#endif
