// SPDX-License-Identifier: MIT
/* Commands that `start` runs for workers that bind their address themselves. No user types them. */
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bind/keeper_process.h"
#include "cli/command.h"
#include "common/exit_code.h"
#include "process/filter_exec.h"

static bool is_socket(int fd)
{
	int type;
	socklen_t length = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}

int command_bind_keeper(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (is_socket(KEEPER_LISTENER) && is_socket(KEEPER_LEADER))
		return keeper_run();
	fprintf(stderr, "stickyctl: bind-keeper is started by 'stickyctl start' alone\n");
	return EXIT_USAGE;
}

int command_bind_exec(int argc, char **argv)
{
	return filter_exec_main(argc, argv);
}
