/* SPDX-License-Identifier: MIT */
/*
 * Binds the file of a UNIX socket, and removes it again. The directory is kept open, and the file's
 * device and inode are noted. So exactly this file is removed in the end, even if the file or its
 * directory was renamed or replaced in the meantime.
 */
#ifndef STICKY_RIGHTS_UNIX_PATH_H
#define STICKY_RIGHTS_UNIX_PATH_H

#include <sys/types.h>

#include "rights/user_rights.h"

#define UNIX_PATH_SIZE	108 /* as of sun_path */
#define UNIX_PATH_UMASK ((mode_t)-1)

/* A path without a file. */
#define UNIX_PATH_NONE                                                                             \
	(struct unix_path)                                                                         \
	{                                                                                          \
		.directory = -1                                                                    \
	}

struct unix_path {
	const struct user_rights *rights; /* rights that the file was bound with; borrowed */
	int directory;			  /* that the file is in; -1: there is no file to remove */
	char name[UNIX_PATH_SIZE];
	dev_t device;
	ino_t inode;
};

/*
 * Make a stream socket, and bind it to a path.
 *
 * path     absolute
 * backlog  for listen()
 * mode     of the file; UNIX_PATH_UMASK: as the umask leaves it
 * rights   with which the directory is opened and the file is made; NULL: the controller's own.
 *          They must stay valid until unix_path_remove().
 *
 * Returns a non-blocking descriptor, which listens; or -EINVAL (the path is not absolute, or names
 * no file), -ENAMETOOLONG, -EADDRINUSE (there is a file), or another -errno. On an error ret_path
 * is set to "no file".
 */
int unix_path_listen(const char *path, int backlog, mode_t mode, const struct user_rights *rights,
		     struct unix_path *ret_path);

/*
 * Note the file of a socket that another process has bound, for unix_path_remove(). If there is no
 * socket at the path, set ret_path to "no file". Returns 0 or -errno.
 */
int unix_path_find(const char *path, const struct user_rights *rights, struct unix_path *ret_path);

/*
 * Remove a file that is left over: a socket that refuses connections.
 *
 * Returns 0, also if there is no file; -EEXIST (a file that is no socket), -EADDRINUSE (a
 * process accepts connections there), or another -errno.
 */
int unix_path_remove_stale(const char *path, const struct user_rights *rights);

/*
 * Remove the file with the rights that it was bound with, and forget it. If the file is gone, or
 * the path has no file, nothing is done. Returns 0; or -errno if the file could not be removed.
 */
int unix_path_remove(struct unix_path *path);

#endif
