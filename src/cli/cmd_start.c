// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../controller/controller.h"
#include "command.h"
#include "demo.h"

#define OPTIONS_MAX 64

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct config *config = state->input;
	const struct option_doc *option;
	char origin[64], error[CONFIG_ERROR_SIZE];
	size_t i;

	if (key == ARGP_KEY_ARG) {
		/* From here on everything is the worker's, whether '--' came before or not. */
		config->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	for (i = 0; (option = config_option(i)); i++)
		if (!option->every_command && option->key == key)
			break;
	if (!option)
		return ARGP_ERR_UNKNOWN;
	snprintf(origin, sizeof(origin), "--%s", option->name);
	if (config_set(config, key, arg, origin, error))
		argp_error(state, "%s", error);
	return 0;
}

int command_start(int argc, char **argv)
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
		       "be given in the environment too: --min-uptime as STICKYCTL_MIN_UPTIME.\n\n"
		       "Signals: TERM and INT stop gracefully, a second INT or QUIT at once; HUP "
		       "and "
		       "USR2 reload; TTIN and TTOU scale by one.",
	};
	const struct option_doc *option;
	char word[] = "start";
	struct config config;
	size_t i, count = 0;
	int result;

	for (i = 0; (option = config_option(i)) && count < OPTIONS_MAX - 1; i++)
		if (!option->every_command)
			options[count++] = (struct argp_option){
				.name = option->name,
				.key = option->key,
				.arg = option->arg,
				.doc = option->doc,
			};
	command_parse(&argp, argc, argv, &config, &config);
	argv[0] = word; /* main() had made it the program's name, for argp */
	config.arguments = argv;
	result = controller_run(&config, demo_host());
	config_fini(&config);
	return result;
}
