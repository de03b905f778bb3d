// SPDX-License-Identifier: MIT
#include "cli/command.h"
#include "process/filter_exec.h"

int command_bind_exec(int argc, char **argv)
{
	return filter_exec_main(argc, argv);
}
