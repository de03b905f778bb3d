// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/start.h"
#include "common/exit_code.h"
#include "common/units.h"
#include "controller/controller.h"
#include "controller/upgrade_trial.h"

/*
 * Write the verdict at the exit of the program, which may be argp's if it does not know an option.
 */
static void write_verdict(int code, void *unused)
{
	(void)unused;
	printf("\n%s %d\n", UPGRADE_VERDICT, code);
}

/*
 * Returns true if this program can take over the waiting connections of a running controller, whose
 * version of their format is `version`.
 */
static bool can_carry(const char *version)
{
	uint64_t number;

	if (!parse_number(version, UPGRADE_VERSION, UPGRADE_VERSION, &number))
		return true;
	fputs("stickyctl: it is of a version that can't go on with the connections of the one "
	      "that runs\n",
	      stderr);
	return false;
}

int command_upgrade_check(int argc, char **argv)
{
	char name[] = "stickyctl start";

	if (argc < 3 || strcmp(argv[2], "start")) {
		fputs("stickyctl: upgrade-check is run by 'stickyctl upgrade' alone\n", stderr);
		return EXIT_USAGE;
	}
	on_exit(write_verdict, NULL);
	if (!can_carry(argv[1]))
		return EXIT_FAILED;
	argv[2] = name;
	return start_by(argc - 2, argv + 2, controller_check_upgrade, false);
}
