/* SPDX-License-Identifier: MIT */
/* The commands of stickyctl: one table, and one file for each command. */
#ifndef STICKY_CLI_COMMAND_H
#define STICKY_CLI_COMMAND_H

#include <argp.h>
#include <stdbool.h>

#include "config/config.h"
#include "config/sources.h"

struct command {
	const char *name;
	const char *arguments; /* the arguments behind the options, as help shows them */
	const char *summary;   /* for the list of commands: at most 43 characters */
	/* argv[0] is "stickyctl NAME". Returns an exit code. */
	int (*run)(int argc, char **argv);
	const char *examples; /* two lines for --help, each indented by two spaces */
	/* its own options, for completion; NULL: none, or those of `start` */
	const struct argp_option *options;
	bool takes_start_options;
};

/* Returns the command at an index, which counts from 0; NULL behind the last one. */
const struct command *command_at(size_t index);

/* Returns the command of this name, or NULL. */
const struct command *command_find(const char *name);

/*
 * Parse a command's arguments by argp. --help and errors are handled as in all commands: both end
 * the program.
 *
 * argp    the command's own options, with keys of its own
 * input   passed on to the parser of `argp`
 * config  gets the options that all commands have (-n, --run-dir), also from the environment; is
 *         initialized here, and freed by the caller
 */
void command_parse(const struct argp *argp, int argc, char **argv, void *input,
		   struct config *config);

/*
 * The same for `start`, whose configuration is read again at each reload.
 *
 * scratch  each option is set here, to check its value; freed by the caller
 * sources  gets the environment and the options; freed by the caller
 */
void command_parse_sources(const struct argp *argp, int argc, char **argv, void *input,
			   struct config *scratch, struct config_sources *sources);

/* Check the value of an option, and remember it. A bad value ends the program. */
void command_take(struct config *config, struct config_sources *sources, int key, const char *value,
		  struct argp_state *state);

/* The argp parser of a command that has no options or arguments of its own. */
error_t command_parse_nothing(int key, char *arg, struct argp_state *state);

/*
 * Say that there is no such command, and name the nearest one, on stderr. Returns EXIT_USAGE.
 */
int command_refuse(const char *word);

/* The commands' own options, which completion finds by command_at(). */
extern const struct argp_option command_check_options[];
extern const struct argp_option command_clients_options[];
extern const struct argp_option command_doctor_options[];
extern const struct argp_option command_events_options[];
extern const struct argp_option command_list_options[];
extern const struct argp_option command_logs_options[];
extern const struct argp_option command_reload_options[];
extern const struct argp_option command_status_options[];
extern const struct argp_option command_stop_options[];
extern const struct argp_option command_where_options[];

/* The commands. Each has the form of run() above. */
int command_start(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_status(int argc, char **argv);
int command_list(int argc, char **argv);
int command_top(int argc, char **argv);
int command_where(int argc, char **argv);
int command_clients(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_scale(int argc, char **argv);
int command_drain(int argc, char **argv);
int command_ready(int argc, char **argv);
int command_restart(int argc, char **argv);
int command_upgrade(int argc, char **argv);
int command_events(int argc, char **argv);
int command_check(int argc, char **argv);
int command_completion(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);

/*
 * Internal commands, which a controller, a shell or docs/manual/program.py runs. No list shows
 * them.
 */
int command_bind_keeper(int argc, char **argv);
int command_bind_exec(int argc, char **argv);
int command_upgrade_check(int argc, char **argv);
int command_complete_words(int argc, char **argv);
int command_describe(int argc, char **argv);

#endif
