/* SPDX-License-Identifier: MIT */
/* Runs the controller as a process in the background, for --daemon. */
#ifndef STICKY_CONTROLLER_DAEMON_H
#define STICKY_CONTROLLER_DAEMON_H

/*
 * Fork a child in a session of its own, where this function returns 1. The calling process waits
 * until the child says that it has started, or ends. Signals that ask the calling process to stop
 * are passed on to the child.
 *
 * ret_starter    in the child: for daemon_say_started()
 * ret_exit_code  in the calling process: the code that it must exit with
 *
 * Returns 1 in the child, 0 in the calling process after the wait, or -errno. No thread may run
 * yet.
 */
int daemon_begin(int *ret_starter, int *ret_exit_code);

/* Let the waiting process exit with the code 0, and close the descriptor. */
void daemon_say_started(int starter);

#endif
