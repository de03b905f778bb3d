// SPDX-License-Identifier: MIT
#include <string.h>

#include "cli/command.h"
#include "cli/start.h"

error_t start_line_parse(struct start_line *line, int key, char *arg, struct argp_state *state)
{
	const struct config_option *option;

	if (key == ARGP_KEY_ARG) {
		/*
		 * Every word from here on belongs to the worker's command, with or without a '--'.
		 */
		line->sources.command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	option = option_by_key(key);
	if (!option || option->doc.every_command)
		return ARGP_ERR_UNKNOWN;
	command_take(&line->scratch, &line->sources, key, arg, state);
	return 0;
}

void start_line_options(int flags, struct argp_option ret_options[OPTIONS_LIMIT])
{
	const struct config_option *option;
	size_t i, count = 0;

	for (i = 0; (option = option_at(i)) && count < OPTIONS_LIMIT - 1; i++)
		if (!option->doc.every_command)
			ret_options[count++] = (struct argp_option){
				.name = option->doc.name,
				.key = option->doc.key,
				.arg = option->doc.arg,
				.flags = flags,
				.doc = option->doc.doc,
			};
}

void start_line_fini(struct start_line *line)
{
	config_fini(&line->scratch);
	sources_fini(&line->sources);
}

/* A misspelt name has no file, and a file may have lost its command. */
bool start_lacks_command(const struct config *config)
{
	return !config->command && !config->listen.count &&
	       (config->file || strcmp(config->name, "default") != 0);
}
