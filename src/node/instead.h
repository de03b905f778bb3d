/* SPDX-License-Identifier: MIT */
/* Names the command to write in the place of one that starts Node.js as a child process. */
#ifndef STICKY_NODE_INSTEAD_H
#define STICKY_NODE_INSTEAD_H

#include "common/error_text.h"

/*
 * Add a line with the command to write. npm, npx and their like, variables, wrappers (wrappers.h)
 * and shells are followed to what they run.
 *
 * command    with `env` and its variables, if they are there
 * directory  its package.json says what `npm start` runs
 * path       PATH; NULL: there is none
 */
void instead_add(char *const *command, const char *directory, const char *path,
		 struct error_text *text);

/*
 * Returns the command behind a wrapper that sets variables, and behind its options; NULL: there is
 * none, or it is the text for a shell. Pure.
 */
char *const *instead_behind_variables(char *const *command);

#endif
