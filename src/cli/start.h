/* SPDX-License-Identifier: MIT */
/* The command line of `stickyctl start`, which `check` and `upgrade-check` have, too. */
#ifndef STICKY_CLI_START_H
#define STICKY_CLI_START_H

#include <argp.h>
#include <stdbool.h>

#include "config/config.h"
#include "config/options.h"
#include "config/problems.h"
#include "config/sources.h"

#define START_OPTIONS_MAX (OPTIONS_LIMIT + 16)

/* The options of the command line. */
struct start_line {
	struct config scratch; /* each option is set here, to check its value */
	struct config_sources sources;
};

/*
 * Parse the options of `start` and the workers' command, as an argp parser. state->input is `line`.
 */
error_t start_line_parse(struct start_line *line, int key, char *arg, struct argp_state *state);

/*
 * List the options of `start`, except for those that every command has.
 *
 * flags        of each struct argp_option
 * ret_options  with titles of groups between them, unless they are hidden; {0} behind the last one
 */
void start_line_options(int flags, struct argp_option ret_options[START_OPTIONS_MAX]);

/* Free the options. */
void start_line_fini(struct start_line *line);

/*
 * Returns true if a configuration names no command, and nothing in it says that the demo is meant.
 * The demo listens on all addresses, and must not be started by mistake.
 */
bool start_lacks_command(const struct config *config);

/* Called with the configuration. Returns an exit code. */
typedef int start_fn(struct config *config, const struct config_sources *sources);

/*
 * Read the command line, the environment and the configuration file, and call the function with
 * the result.
 *
 * argv       argv[0] is "stickyctl start"
 * tells_all  show all mistakes of the file, a line each; false: one line, for a reader with little
 *            room
 *
 * Returns an exit code. Errors are written to stderr; one of the command line ends the program.
 */
int start_by(int argc, char **argv, start_fn *fn, bool tells_all);

#endif
