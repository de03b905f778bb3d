// SPDX-License-Identifier: MIT
/* A step of the start: finds out what kind of program the workers' command is. */
#include <stdlib.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "controller/controller_internal.h"
#include "node/command_advice.h"
#include "node/node_command.h"

/*
 * The PATH is this process's, though --env may give the worker another one. exec() reports an empty
 * one.
 */
int controller_look_at_command(struct controller *controller)
{
	struct config *config = controller->instance.config;
	const struct advised advised = {controller->directory, getenv("PATH"),
					config->listen.count > 0};
	struct error_text error;

	/* --worker says what kind of program the command is. */
	if (!config->command ||
	    (config->worker && worker_mode_parse(config->worker) != WORKER_AUTO))
		return EXIT_DONE;
	if (advice_of_command(config->command, &advised, &error)) {
		controller_complain("%s", error.text);
		return EXIT_USAGE;
	}
	config->runs_node = node_command_is_node(config->command, advised.directory, advised.path);
	return EXIT_DONE;
}
