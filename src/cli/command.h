/* SPDX-License-Identifier: MIT */
/* The commands of stickyctl: a table, one file each. */
#ifndef STICKY_CLI_COMMAND_H
#define STICKY_CLI_COMMAND_H

#include <argp.h>
#include <stdbool.h>

#include "config/config.h"
#include "config/sources.h"

struct command {
	const char *name;
	const char *arguments; /* behind the options, for help */
	const char *summary;   /* one line */
	/* argv[0] is "stickyctl NAME". Returns an exit code. */
	int (*run)(int argc, char **argv);
};

/* The command of an index from 0 on; NULL behind the last one. */
const struct command *command_at(size_t index);

/* NULL: there is none. */
const struct command *command_find(const char *name);

/*
 * Parse a command's arguments with argp: --help, errors and exit codes as everywhere.
 *
 * argp    the command's own options; their keys are its own
 * input   given to its parser
 * config  takes the options that all commands have (-n, --run-dir), from the environment
 *         too; initialized by this; freed by the caller
 */
void command_parse(const struct argp *argp, int argc, char **argv, void *input,
		   struct config *config);

/*
 * The same for start, whose configuration is read again at each reload.
 *
 * scratch  where each option is tried; freed by the caller
 * sources  gets the environment and the options; freed by the caller
 */
void command_parse_sources(const struct argp *argp, int argc, char **argv, void *input,
			   struct config *scratch, struct config_sources *sources);

/* An option that was given: try it, and remember it. A bad value ends the program. */
void command_take(struct config *config, struct config_sources *sources, int key, const char *value,
		  struct argp_state *state);

/* A parser for a command without options and arguments of its own. */
error_t command_parse_nothing(int key, char *arg, struct argp_state *state);

int command_start(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_status(int argc, char **argv);
int command_where(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_scale(int argc, char **argv);
int command_drain(int argc, char **argv);
int command_ready(int argc, char **argv);
int command_restart(int argc, char **argv);
int command_upgrade(int argc, char **argv);
int command_events(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);

#endif
