/* SPDX-License-Identifier: MIT */
/* The command line of `stickyctl start`, which `stickyctl upgrade-check` has, too. */
#ifndef STICKY_CLI_START_H
#define STICKY_CLI_START_H

#include "config/config.h"
#include "config/sources.h"

/* Called with the configuration. Returns an exit code. */
typedef int start_fn(struct config *config, const struct config_sources *sources);

/*
 * Read the command line, the environment and the configuration file, and call the function with
 * the result.
 *
 * argv  argv[0] is "stickyctl start"
 *
 * Returns an exit code. Errors are written to stderr; one of the command line ends the program.
 */
int start_by(int argc, char **argv, start_fn *fn);

#endif
