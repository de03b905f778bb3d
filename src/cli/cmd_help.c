// SPDX-License-Identifier: MIT
/* Prints the commands and the version of this program. */
#include <stdio.h>
#include <stdlib.h>

#include "common/exit_code.h"
#include "cli/command.h"
#include "sticky.h"

static void show_all(void)
{
	const struct command *command;
	char words[64];
	size_t i;

	puts("stickyctl: each client's connections go to the same worker, chosen in the kernel");
	for (i = 0; (command = command_at(i)); i++) {
		snprintf(words, sizeof(words), "%s %s", command->name, command->arguments);
		printf("  stickyctl %-24s %s\n", words, command->summary);
	}
	puts("Try it: 'stickyctl start', then open http://localhost:8080/\n"
	     "'stickyctl help COMMAND' shows a command's options.");
}

int command_help(int argc, char **argv)
{
	const struct command *command;
	char name[64];
	char help[] = "--help";
	char *arguments[] = {name, help, NULL};

	if (argc < 2 || argv[1][0] == '-') {
		show_all();
		return EXIT_DONE;
	}
	command = command_find(argv[1]);
	if (!command)
		return command_refuse(argv[1]);
	if (command->run == command_help) {
		show_all();
		return EXIT_DONE;
	}
	snprintf(name, sizeof(name), "stickyctl %s", command->name);
	return command->run(2, arguments);
}

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
