// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>

#include "common/exit_code.h"
#include "cli/command.h"

static void show_all(void)
{
	const struct command *command;
	size_t i;

	puts("stickyctl: each client's TCP connections go to the same worker, chosen in the "
	     "kernel\n");
	for (i = 0; (command = command_at(i)); i++)
		printf("  stickyctl %-8s%-22s %s\n", command->name, command->arguments,
		       command->summary);
	puts("\nTry it: 'stickyctl start', then open http://localhost:8080/\n"
	     "'stickyctl help COMMAND' shows a command's options.");
}

int command_help(int argc, char **argv)
{
	const struct command *command;
	char name[64];
	char help[] = "--help";
	char *arguments[] = {name, help, NULL};

	if (argc < 2) {
		show_all();
		return EXIT_DONE;
	}
	command = command_find(argv[1]);
	if (!command) {
		fprintf(stderr,
			"stickyctl: no such command: %s\n'stickyctl help' shows the commands\n",
			argv[1]);
		return EXIT_USAGE;
	}
	if (command->run == command_help) {
		show_all();
		return EXIT_DONE;
	}
	snprintf(name, sizeof(name), "stickyctl %s", command->name);
	return command->run(2, arguments);
}
