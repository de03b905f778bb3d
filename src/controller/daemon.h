/* SPDX-License-Identifier: MIT */
/* --daemon: the controller is a process in the background, which another one has started. */
#ifndef STICKY_CONTROLLER_DAEMON_H
#define STICKY_CONTROLLER_DAEMON_H

/*
 * Begin a child in a session of its own, in which this function returns. The calling process waits
 * until the child says that it has started, or ends; signals that ask to stop are passed on to it.
 *
 * ret_starter    in the child: for daemon_say_started()
 * ret_exit_code  in the calling process: with which it is to exit
 *
 * Returns 1 in the child, 0 in the calling process after that, or -errno. No thread may run yet.
 */
int daemon_begin(int *ret_starter, int *ret_exit_code);

/* Let the process that waits exit with the code 0. The descriptor is closed. */
void daemon_say_started(int starter);

#endif
