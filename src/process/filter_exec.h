/* SPDX-License-Identifier: MIT */
/*
 * How a worker that runs as root gets its filter: by way of this program, which is executed once
 * more. The controller has given up most capabilities. What it forks has as few, and no_new_privs,
 * which a filter needs without CAP_SYS_ADMIN, would keep them from root's program for good. The
 * program that is executed in between has all that root may have. It installs the filter, without
 * no_new_privs where it can, and executes the worker's program.
 */
#ifndef STICKY_PROCESS_FILTER_EXEC_H
#define STICKY_PROCESS_FILTER_EXEC_H

#include "process/spawn.h"

#define FILTER_EXEC_COMMAND "bind-exec"

/* The arguments of that program, made before the fork. */
struct filter_exec {
	char **arguments;
	char **environment;
	char *numbers; /* the buffers of those that are numbers */
};

/* Make them of what is to be executed. Returns 0 or -ENOMEM. */
int filter_exec_init(const struct spawn_request *request, struct filter_exec *ret_exec);

/* Free them. All zero is allowed. */
void filter_exec_fini(struct filter_exec *exec);

/*
 * In the child: execute this program. Async-signal-safe. Returns only on failure: -errno.
 *
 * status   where a failure is written to
 * channel  where the filter's descriptor is sent to
 */
int filter_exec_run(const struct filter_exec *exec, int status, int channel);

/*
 * In that program: install the filter, and execute the worker's program.
 *
 * argv  as it was made above; argv[0] is the name of the command
 *
 * Returns only on failure, an exit code.
 */
int filter_exec_main(int argc, char **argv);

#endif
