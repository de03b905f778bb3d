// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/message.h"
#include "controller/controller.h"
#include "cli/command.h"
#include "cli/demo.h"
#include "cli/start.h"

#define OPTIONS_MAX 128

struct start {
	struct config scratch;
	struct config_sources sources;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct start *start = state->input;
	const struct config_option *option;

	if (key == ARGP_KEY_ARG) {
		/*
		 * Every word from here on belongs to the worker's command, with or without a '--'.
		 */
		start->sources.command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	option = option_by_key(key);
	if (!option || option->doc.every_command)
		return ARGP_ERR_UNKNOWN;
	command_take(&start->scratch, &start->sources, key, arg, state);
	return 0;
}

static void list_options(struct argp_option options[OPTIONS_MAX])
{
	const struct config_option *option;
	size_t i, count = 0;

	for (i = 0; (option = option_at(i)) && count < OPTIONS_MAX - 1; i++)
		if (!option->doc.every_command)
			options[count++] = (struct argp_option){
				.name = option->doc.name,
				.key = option->doc.key,
				.arg = option->doc.arg,
				.doc = option->doc.doc,
			};
}

/*
 * The demo listens on all addresses: it is started only where nothing else can be meant. A misspelt
 * name has no file, and a file may have lost its command.
 */
static bool is_demo_by_mistake(const struct config *config)
{
	if (config->command || config->listen.count ||
	    (!config->file && !strcmp(config->name, "default")))
		return false;
	if (config->file)
		fprintf(stderr,
			"stickyctl: %s names no command: add 'command: [PROGRAM, ARGUMENT]', or "
			"write "
			"it behind --\n",
			config->file);
	else
		fprintf(stderr,
			"stickyctl: no command: there is no file " SOURCES_DIRECTORY
			"/%s.yaml that names one, and none behind --\n",
			config->name);
	fputs("the demo is started by 'stickyctl start' without -n and -c, or with -l\n", stderr);
	return true;
}

static int run(const struct config_sources *sources, start_fn *fn)
{
	struct config config;
	struct error_text error;
	int result = sources_load(sources, &config, &error);

	if (!result && is_demo_by_mistake(&config)) {
		result = config.file ? EXIT_BAD_CONFIG : EXIT_USAGE;
	} else if (!result) {
		result = fn(&config, sources);
	} else {
		message("stickyctl: %s", error.text);
		result = result == -EINVAL ? EXIT_USAGE : EXIT_BAD_CONFIG;
	}
	config_fini(&config);
	return result;
}

int start_by(int argc, char **argv, start_fn *fn)
{
	struct argp_option options[OPTIONS_MAX] = {{0}};
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[-- COMMAND [ARG...]]",
		.doc = "Run COMMAND as workers: each gets listening sockets of its own from "
		       "descriptor 3 on (LISTEN_FDS), and the clients that belong to its slot. "
		       "Without COMMAND: the built-in demo server.\v"
		       "Times: 150ms, 30s, 5m, 2h; a bare number is milliseconds. Every option can "
		       "be given in the environment too, --min-uptime as STICKYCTL_MIN_UPTIME, "
		       "and in the configuration file, as min_uptime; the command line wins over "
		       "the environment, and both over the file, which is read again at each "
		       "reload.\n\n"
		       "Signals: TERM and INT stop gracefully, a second INT or QUIT at once; HUP "
		       "and "
		       "USR2 reload; TTIN and TTOU scale by one; USR1 opens the log file again.",
	};
	char word[] = "start";
	struct start start = {0};
	int result;

	list_options(options);
	command_parse_sources(&argp, argc, argv, &start, &start.scratch, &start.sources);
	argv[0] = word; /* main() had set it to "stickyctl start" for argp */
	start.sources.arguments = argv;
	result = run(&start.sources, fn);
	config_fini(&start.scratch);
	sources_fini(&start.sources);
	return result;
}

/* Run the instance until it ends. */
static int run_instance(struct config *config, const struct config_sources *sources)
{
	return controller_run(config, sources, demo_host());
}

int command_start(int argc, char **argv)
{
	return start_by(argc, argv, run_instance);
}
