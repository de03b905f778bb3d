/* SPDX-License-Identifier: MIT */
/* Advises on commands that start Node.js as a child process, and names the right command. */
#ifndef STICKY_NODE_COMMAND_ADVICE_H
#define STICKY_NODE_COMMAND_ADVICE_H

#include <stdbool.h>

#include "common/error_text.h"

struct advised {
	const char *directory; /* where workers run; its package.json says what `npm start` runs */
	const char *path;      /* PATH; NULL: there is none */
	/* -l names an address, so that a shell, bun or deno may be any kind of server */
	bool has_address;
};

/*
 * Would the sockets and the channel of this command not reach the application? npm, nodemon, tsx,
 * pm2, cross-env, `node --watch` and the like start the application in a process of its own. A
 * shell counts only if it starts Node.js. bun and deno count, too: they are not Node.js, and don't
 * talk to its cluster primary. So do `node -e CODE`, which is no worker, and a script that can't be
 * started as a program.
 *
 * command    with `env` and its variables, if they are there
 * ret_error  what is wrong, and on a second line the command to use instead
 *
 * Returns false if nothing is wrong.
 */
bool advice_of_command(char *const *command, const struct advised *advised,
		       struct error_text *ret_error);

#endif
