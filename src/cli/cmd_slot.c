// SPDX-License-Identifier: MIT
/* The commands for one slot: drain, ready, restart. */
#include <stdio.h>

#include "common/exit_code.h"
#include "common/units.h"
#include "client/client.h"
#include "cli/command.h"
#include "sticky.h"

struct slot_argument {
	bool is_set;
	uint64_t slot;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct slot_argument *argument = state->input;

	if (key == ARGP_KEY_ARG && !argument->is_set) {
		if (parse_number(arg, 0, STICKY_SLOTS_LIMIT - 1, &argument->slot))
			argp_error(state,
				   "'%s' is not a slot: give a number from 0 on, as 'stickyctl "
				   "status' shows it",
				   arg);
		argument->is_set = true;
		return 0;
	}
	if (key == ARGP_KEY_END && !argument->is_set)
		argp_error(state, "which slot? give its number, as 'stickyctl status' shows it");
	return command_parse_nothing(key, arg, state);
}

static int order(int argc, char **argv, const char *name, const char *doc)
{
	const struct argp argp = {.parser = parse, .args_doc = "SLOT", .doc = doc};
	struct slot_argument argument = {0};
	struct config config;
	json_t *answer = NULL;
	char target[64];
	int result;

	command_parse(&argp, argc, argv, &argument, &config);
	snprintf(target, sizeof(target), "/v1/%s?slot=%u", name, (unsigned int)argument.slot);
	result = client_ask(&config, "POST", target, 10, &answer, NULL);
	config_fini(&config);
	json_decref(answer);
	return result;
}

int command_drain(int argc, char **argv)
{
	return order(argc, argv, "drain",
		     "Ask the slot's worker to stop, and start no other until 'stickyctl ready'. "
		     "Until then its clients wait, or go to the other slots, by --when-down.");
}

int command_ready(int argc, char **argv)
{
	return order(argc, argv, "ready",
		     "Start a worker again in a slot that was drained, or that failed. Its clients "
		     "come back to it.");
}

int command_restart(int argc, char **argv)
{
	return order(argc, argv, "restart",
		     "Replace the slot's worker as a reload does: the new worker starts first, "
		     "unless --reload-order says otherwise.");
}
