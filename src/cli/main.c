// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/exit_code.h"
#include "cli/command.h"

/* Translate options that users may try instead of a command. */
static const char *translate(const char *word)
{
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-?"))
		return "help";
	if (!strcmp(word, "--version") || !strcmp(word, "-V"))
		return "version";
	return word;
}

/*
 * Open /dev/null for each of the first three descriptors that the parent process has closed. A file
 * that is opened later would otherwise get such a number, and output to stdout or stderr would go
 * into that file.
 */
static bool open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	const struct command *command;
	char name[64];

	if (!open_standard_descriptors())
		return EXIT_FAILED;
	if (argc < 2) {
		command_help(1, argv);
		return EXIT_USAGE;
	}
	command = command_find(translate(argv[1]));
	if (!command)
		return command_refuse(argv[1]);
	snprintf(name, sizeof(name), "stickyctl %s", command->name);
	argv[1] = name;
	return command->run(argc - 1, argv + 1);
}
