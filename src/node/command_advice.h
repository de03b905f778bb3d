/* SPDX-License-Identifier: MIT */
/* COMMANDs that start Node.js instead of being it: what to name instead. */
#ifndef STICKY_NODE_COMMAND_ADVICE_H
#define STICKY_NODE_COMMAND_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * npm, npx, yarn, pnpm: whatever is given to them, a socket or a channel, gets lost on the way to
 * the application. A shell: only where it starts Node.js.
 *
 * directory  where workers run: whose package.json tells what `npm start` runs
 * ret_text   what is wrong, and on a second line what to name instead
 *
 * Returns false where nothing is wrong.
 */
bool advice_of_command(char *const *command, const char *directory, size_t size, char *ret_text);

/* Is it one of npm's kind? */
bool advice_is_runner(const char *command);

#endif
