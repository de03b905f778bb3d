// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "common/exit_code.h"
#include "cli/command.h"
#include "sticky.h"

int command_version(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = command_parse_nothing,
		.doc = "Show the version.",
	};
	struct config config;

	command_parse(&argp, argc, argv, NULL, &config);
	config_fini(&config);
	printf("stickyctl %s\n", sticky_version());
	return EXIT_DONE;
}
