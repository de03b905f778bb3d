/* SPDX-License-Identifier: MIT */
/* Programs that start an application of Node.js as their child, and can't be its worker. Pure. */
#ifndef STICKY_NODE_WRAPPERS_H
#define STICKY_NODE_WRAPPERS_H

#include <stdbool.h>

struct wrapper {
	const char *name;
	const char *what; /* what it does instead of running the application itself */
	/* the command that runs a script as the wrapper does; NULL: see `sets` */
	const char *node;
	/* it sets variables, and runs the command behind them: NAME=VALUE words, or from a file */
	enum { SETS_NOTHING, SETS_WORDS, SETS_FILE } sets;
	bool may_be_other; /* other programs have the name, or it may run another kind of server */
};

/* Returns the wrapper with the name of a program, or of its path; NULL: it is none. */
const struct wrapper *wrapper_find(const char *program);

/* Is this the name or the path of npm, npx, yarn or pnpm? */
bool wrapper_is_runner(const char *program);

/* Is this the name or the path of a shell? */
bool wrapper_is_shell(const char *program);

/* Returns the name at the end of a path. */
const char *wrapper_base_name(const char *path);

#endif
