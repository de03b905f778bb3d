// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "client/client.h"
#include "cli/command.h"

#define TIMEOUT_S 10

int command_metrics(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = command_parse_nothing,
		.doc = "Show the metrics of the instance and its slots in the text format of "
		       "Prometheus. With --admin the same is at /metrics.",
	};
	struct config config;
	int result;

	command_parse(&argp, argc, argv, NULL, &config);
	result = client_copy(&config, "/v1/metrics", TIMEOUT_S, stdout);
	config_fini(&config);
	return result;
}
