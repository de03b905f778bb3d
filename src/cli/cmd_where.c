// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <event2/http.h>
#include <stdlib.h>

#include "common/exit_code.h"
#include "client/client.h"
#include "cli/command.h"
#include "sticky.h"

struct where {
	const char *address;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct where *where = state->input;

	if (key == 'j') {
		where->json = true;
		return 0;
	}
	if (key == ARGP_KEY_ARG && !where->address) {
		where->address = arg;
		return 0;
	}
	if (key == ARGP_KEY_END && !where->address)
		argp_error(state, "which client? give its IP address");
	return command_parse_nothing(key, arg, state);
}

static void show(const json_t *answer)
{
	const char *address, *key, *client_state;
	const json_t *pid = json_object_get(answer, "pid");
	int bucket, slot;

	if (json_unpack((json_t *)answer, "{s:s, s:s, s:i, s:i, s:s}", "address", &address, "key",
			&key, "bucket", &bucket, "slot", &slot, "state", &client_state))
		return;
	printf("%s goes to slot %d (", address, slot);
	if (json_is_integer(pid))
		printf("pid %d, ", (int)json_integer_value(pid));
	printf("%s): key %s, bucket %d\n", client_state, key, bucket);
}

const struct argp_option command_where_options[] = {
	{.name = "json", .key = 'j', .doc = "As JSON"},
	{0},
};

int command_where(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_where_options,
		.parser = parse,
		.args_doc = "ADDRESS",
		.doc = "Show which worker the kernel sends a client to.",
	};
	struct where where = {0};
	struct sockaddr_storage client;
	struct config config;
	json_t *answer = NULL;
	char target[512];
	char *encoded;
	int result;

	command_parse(&argp, argc, argv, &where, &config);
	if (sticky_address_parse(where.address, &client)) {
		fprintf(stderr,
			"stickyctl: '%.100s' is not an IP address, such as 203.0.113.9 or "
			"2001:db8::1\n",
			where.address);
		config_fini(&config);
		return EXIT_USAGE;
	}
	encoded = evhttp_uriencode(where.address, -1, 0);
	snprintf(target, sizeof(target), "/v1/where?address=%s", encoded ? encoded : "");
	free(encoded);
	result = client_ask(&config, "GET", target, 10, &answer, NULL);
	config_fini(&config);
	if (result)
		return result;
	if (where.json)
		json_dumpf(answer, stdout, JSON_COMPACT), putchar('\n');
	else
		show(answer);
	json_decref(answer);
	return EXIT_DONE;
}
