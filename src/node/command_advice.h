/* SPDX-License-Identifier: MIT */
/* Commands that start Node.js as a child process, and what to name instead. */
#ifndef STICKY_NODE_COMMAND_ADVICE_H
#define STICKY_NODE_COMMAND_ADVICE_H

#include <stdbool.h>

#include "common/error_text.h"

/*
 * Is this a command whose sockets and channel would not reach the application? npm, npx, yarn and
 * pnpm start it in a process of its own. A shell counts only if it starts Node.js.
 *
 * directory  where workers run; its package.json says what `npm start` runs
 * ret_error  what is wrong, and on a second line what to name instead
 *
 * Returns false if nothing is wrong.
 */
bool advice_of_command(char *const *command, const char *directory, struct error_text *ret_error);

/* Is it npm, or one of the programs like it? */
bool advice_is_runner(const char *command);

#endif
