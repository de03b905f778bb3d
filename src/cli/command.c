// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/options.h"
#include "common/error_text.h"
#include "common/exit_code.h"

static const struct command commands[] = {
	{"start", "[-- COMMAND [ARG...]]", "Run COMMAND as workers, or the built-in demo server",
	 command_start},
	{"status", "", "Show the instance and its workers", command_status},
	{"reload", "", "Replace the workers one by one, without losing a connection",
	 command_reload},
	{"scale", "N|+N|-N", "Change the number of workers", command_scale},
	{"drain", "SLOT", "End a slot's worker, and start no other", command_drain},
	{"ready", "SLOT", "Bring a drained or failed slot back", command_ready},
	{"restart", "SLOT", "Replace one slot's worker", command_restart},
	{"upgrade", "", "Replace the controller by a newer version; the workers go on",
	 command_upgrade},
	{"events", "", "Show the last events, and follow new ones", command_events},
	{"stop", "", "Ask the workers to stop, then end the instance", command_stop},
	{"where", "ADDRESS", "Show which worker a client goes to", command_where},
	{"metrics", "", "Show the metrics, as Prometheus reads them", command_metrics},
	{"doctor", "", "Check what this machine can do, and what is missing", command_doctor},
	{"version", "", "Show the version", command_version},
	{"help", "[COMMAND]", "Show the commands, or the options of one", command_help},
};

/* Not for users: see bind/keeper_process.h, process/filter_exec.h, controller/upgrade_trial.h. */
static const struct command internal[] = {
	{"bind-keeper", "", "", command_bind_keeper},
	{"bind-exec", "", "", command_bind_exec},
	{"upgrade-check", "", "", command_upgrade_check},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct command *command_at(size_t index)
{
	return index < COMMAND_COUNT ? &commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	for (i = 0; i < sizeof(internal) / sizeof(internal[0]); i++)
		if (!strcmp(internal[i].name, name))
			return &internal[i];
	return NULL;
}

error_t command_parse_nothing(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "'%s' is one argument too many", arg);
	return EINVAL;
}

/* ---- -n and --run-dir, which every command has ----------------------------------- */

#define SHARED_MAX 8

/* The input of the parsers. The parser of a command gives each child parser its input. */
struct inputs {
	const struct argp *own;
	void *own_input;
	struct config *config;
	struct config_sources *sources; /* NULL: the options are not read again later */
};

void command_take(struct config *config, struct config_sources *sources, int key, const char *value,
		  struct argp_state *state)
{
	char origin[64];
	struct error_text error;

	snprintf(origin, sizeof(origin), "--%s", option_by_key(key)->doc.name);
	if (config_set(config, key, value, origin, &error))
		argp_error(state, "%s", error.text);
	if (sources && sources_add(sources, key, value))
		argp_failure(state, EXIT_FAILED, ENOMEM, "%s", origin);
}

static error_t parse_shared(int key, char *arg, struct argp_state *state)
{
	const struct inputs *inputs = state->input;
	const struct config_option *option = option_by_key(key);

	if (!option || !option->doc.every_command)
		return ARGP_ERR_UNKNOWN;
	command_take(inputs->config, inputs->sources, key, arg, state);
	return 0;
}

static void list_shared(struct argp_option shared[SHARED_MAX])
{
	const struct config_option *option;
	size_t i, count = 0;

	memset(shared, 0, SHARED_MAX * sizeof(shared[0]));
	for (i = 0; (option = option_at(i)) && count < SHARED_MAX - 1; i++)
		if (option->doc.every_command)
			shared[count++] = (struct argp_option){
				.name = option->doc.name,
				.key = option->doc.key,
				.arg = option->doc.arg,
				.doc = option->doc.doc,
			};
}

static error_t parse_own(int key, char *arg, struct argp_state *state)
{
	struct inputs *inputs = state->input;

	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = inputs;
		return 0;
	}
	state->input = inputs->own_input;
	key = inputs->own->parser(key, arg, state);
	state->input = inputs;
	return key;
}

static void parse_all(const struct argp *argp, int argc, char **argv, struct inputs *inputs)
{
	struct argp_option shared[SHARED_MAX];
	struct argp shared_argp = {.options = shared, .parser = parse_shared};
	struct argp_child children[] = {{.argp = &shared_argp}, {0}};
	struct argp whole = *argp;
	struct error_text error;

	argp_err_exit_status = EXIT_USAGE;
	config_init(inputs->config);
	if (config_set_from_environment(inputs->config, environ, &error)) {
		fprintf(stderr, "stickyctl: %s\n", error.text);
		exit(EXIT_USAGE);
	}
	config_begin_source(inputs->config);
	list_shared(shared);
	whole.parser = parse_own;
	whole.children = children;
	if (argp_parse(&whole, argc, argv, ARGP_IN_ORDER, NULL, inputs))
		exit(EXIT_FAILED);
}

void command_parse(const struct argp *argp, int argc, char **argv, void *input,
		   struct config *config)
{
	struct inputs inputs = {.own = argp, .own_input = input, .config = config};

	parse_all(argp, argc, argv, &inputs);
	if (!config->name)
		config->name = strdup("default");
	if (!config->name)
		abort(); /* out of memory, and nothing has been started yet */
}

void command_parse_sources(const struct argp *argp, int argc, char **argv, void *input,
			   struct config *scratch, struct config_sources *sources)
{
	struct inputs inputs = {
		.own = argp, .own_input = input, .config = scratch, .sources = sources};

	sources->environment = environ;
	parse_all(argp, argc, argv, &inputs);
}
