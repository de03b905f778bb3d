// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "common/exit_code.h"
#include "client/client.h"
#include "cli/command.h"

struct events {
	bool follow;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct events *events = state->input;

	if (key == 'f')
		events->follow = true;
	else if (key == 'j')
		events->json = true;
	else
		return command_parse_nothing(key, arg, state);
	return 0;
}

static void show_field(const char *key, const json_t *value)
{
	if (json_is_string(value))
		printf(strpbrk(json_string_value(value), " \n") ? " %s=\"%s\"" : " %s=%s", key,
		       json_string_value(value));
	else if (json_is_integer(value))
		printf(" %s=%" JSON_INTEGER_FORMAT, key, json_integer_value(value));
	else if (json_is_boolean(value))
		printf(" %s=%s", key, json_is_true(value) ? "yes" : "no");
}

static int show(void *context, const json_t *event)
{
	const struct events *events = context;
	const char *key;
	json_t *value;

	if (events->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
	} else {
		printf("%s %s", json_string_value(json_object_get(event, "time")),
		       json_string_value(json_object_get(event, "event")));
		json_object_foreach((json_t *)event, key, value)
		{
			if (strcmp(key, "seq") && strcmp(key, "time") && strcmp(key, "event"))
				show_field(key, value);
		}
	}
	putchar('\n');
	fflush(stdout);
	return -1;
}

const struct argp_option command_events_options[] = {
	{.name = "follow", .key = 'f', .doc = "Go on with new events"},
	{.name = "json", .key = 'j', .doc = "As JSON, one event on each line"},
	{0},
};

int command_events(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_events_options,
		.parser = parse,
		.doc = "Show the last events of the instance, the oldest first: each change of a "
		       "worker's state is one.",
	};
	struct events events = {0};
	struct config config;
	int result;

	command_parse(&argp, argc, argv, &events, &config);
	result = client_follow(&config, "GET", events.follow ? "/v1/events?follow=1" : "/v1/events",
			       show, &events, EXIT_DONE);
	config_fini(&config);
	return result;
}
