// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>

#include "api/api_clients.h"
#include "api/client_ranking.h"
#include "client/client.h"
#include "terminal/clients_view.h"
#include "cli/command.h"
#include "common/exit_code.h"
#include "common/units.h"

#define TIMEOUT_S 10

struct wanted {
	uint64_t limit;
	uint64_t slot;
	bool has_slot;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wanted *wanted = state->input;

	switch (key) {
	case 'j':
		wanted->json = true;
		return 0;
	case 's':
		if (parse_number(arg, 0, STICKY_SLOTS_LIMIT - 1, &wanted->slot))
			argp_error(state,
				   "--slot: '%s' is not a slot: give a number from 0 on, as "
				   "'stickyctl status' shows it",
				   arg);
		wanted->has_slot = true;
		return 0;
	case 'l':
		if (parse_number(arg, 1, CLIENT_LIMIT_MAX, &wanted->limit))
			argp_error(state, "--limit: '%s' is not a number from 1 to %u", arg,
				   CLIENT_LIMIT_MAX);
		return 0;
	default:
		return command_parse_nothing(key, arg, state);
	}
}

static void show(const struct wanted *wanted, const json_t *answer)
{
	if (wanted->json)
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)), putchar('\n');
	else
		clients_view(answer, stdout);
}

const struct argp_option command_clients_options[] = {
	{.name = "slot", .key = 's', .arg = "SLOT", .doc = "Only the clients of this slot"},
	{.name = "limit",
	 .key = 'l',
	 .arg = "N",
	 .doc = "Show at most so many clients, 1 to 1000 (20)"},
	{.name = "json", .key = 'j', .doc = "As JSON"},
	{0},
};

int command_clients(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_clients_options,
		.parser = parse,
		.doc = "Show the clients with the most open connections. A client is a key: an "
		       "IPv4 address, or a /64 of IPv6, as in 'where'. Connections that wait to be "
		       "accepted count, too. SLOT is the client's slot by now; OF SLOT and OF ALL "
		       "are the client's shares of the open connections.",
	};
	struct wanted wanted = {.limit = CLIENT_LIMIT_DEFAULT};
	struct config config;
	json_t *answer = NULL;
	char target[96];
	int length, result;

	command_parse(&argp, argc, argv, &wanted, &config);
	length = snprintf(target, sizeof(target), "/v1/clients?limit=%u",
			  (unsigned int)wanted.limit);
	if (wanted.has_slot)
		snprintf(target + length, sizeof(target) - (size_t)length, "&slot=%u",
			 (unsigned int)wanted.slot);
	result = client_ask(&config, "GET", target, TIMEOUT_S, &answer, NULL);
	config_fini(&config);
	if (!result)
		show(&wanted, answer);
	json_decref(answer);
	return result;
}
