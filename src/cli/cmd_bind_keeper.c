// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bind/keeper_process.h"
#include "cli/command.h"
#include "common/exit_code.h"

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
