/* SPDX-License-Identifier: MIT */
/*
 * Lists the listening UNIX sockets of this network namespace, from /proc/net/unix. The file also
 * names sockets in directories that this user can't look into.
 */
#ifndef STICKY_PROCFS_UNIX_LISTENERS_H
#define STICKY_PROCFS_UNIX_LISTENERS_H

/* Receive the path of a listening socket. Returns 0 to go on. */
typedef int unix_listener_fn(void *context, const char *path);

/*
 * Returns the path in a line of /proc/net/unix if the line is about a listening stream socket, else
 * NULL. The line end is cut off in place. Pure.
 */
const char *unix_listener_path(char *line);

/* Call `fn` with each path. Returns 0, a result of `fn` that is not 0, or -errno. */
int unix_listeners_each(unix_listener_fn *fn, void *context);

#endif
