/* SPDX-License-Identifier: MIT */
/*
 * Listening unix sockets of this network namespace, from /proc/net/unix. It names also those in
 * directories that this user can't look into.
 */
#ifndef STICKY_PROCFS_UNIX_LISTENERS_H
#define STICKY_PROCFS_UNIX_LISTENERS_H

/* Called with the path of a listening socket. Returns 0 to go on. */
typedef int unix_listener_fn(void *context, const char *path);

/*
 * Returns the path in a line of /proc/net/unix, if it is that of a listening stream socket; else
 * NULL. The line end is cut off in place. Pure.
 */
const char *unix_listener_path(char *line);

/* Call a function with each path. Returns 0, what the function returned, or -errno. */
int unix_listeners_each(unix_listener_fn *fn, void *context);

#endif
