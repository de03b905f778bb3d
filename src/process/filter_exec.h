/* SPDX-License-Identifier: MIT */
/*
 * Gives a filter to a worker that runs as root: the child executes stickyctl once more, and this
 * program installs the filter.
 *
 * The child can't do so itself. The controller has given up most capabilities, and its children
 * have as few. A filter without CAP_SYS_ADMIN requires no_new_privs, and with no_new_privs root's
 * program would never get the capabilities back. The program that is executed in between has all
 * capabilities that root may have. It installs the filter, without no_new_privs where it can, and
 * executes the worker's program.
 */
#ifndef STICKY_PROCESS_FILTER_EXEC_H
#define STICKY_PROCESS_FILTER_EXEC_H

#include "process/spawn.h"

#define FILTER_EXEC_COMMAND "bind-exec"

/* The arguments and the environment of the program in between, made before the fork. */
struct filter_exec {
	char **arguments;
	char **environment;
	char *numbers; /* the buffers of the arguments that are numbers */
};

/* Make the arguments from a request. Returns 0 or -ENOMEM. */
int filter_exec_init(const struct spawn_request *request, struct filter_exec *ret_exec);

/* Free the arguments. All zero is allowed. */
void filter_exec_fini(struct filter_exec *exec);

/*
 * Execute the program in between, from the child. Async-signal-safe. Returns -errno, on failure
 * only.
 *
 * status   where a failure is written to
 * channel  where the filter's descriptor is sent to
 */
int filter_exec_run(const struct filter_exec *exec, int status, int channel);

/*
 * Install the filter, and execute the worker's program. This is the main function of the program in
 * between.
 *
 * argv  made by filter_exec_init(), without "stickyctl"; argv[0] is the command's name
 *
 * Returns an exit code, on failure only.
 */
int filter_exec_main(int argc, char **argv);

#endif
