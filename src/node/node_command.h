/* SPDX-License-Identifier: MIT */
/* Finds out whether a worker's command is an application of Node.js. */
#ifndef STICKY_NODE_NODE_COMMAND_H
#define STICKY_NODE_NODE_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Skip `env` and its variables: `env A=1 node app.js` becomes node in the same process. Pure.
 *
 * Returns the words from the program on. Returns `command` itself if it does not begin with env, or
 * if env has any other option than -u NAME. (`env -i` would take the channel from Node.js.)
 */
char *const *node_command_program(char *const *command);

/* Is this the path of a program named node or nodejs? Pure. */
bool node_command_is_named_node(const char *path);

/*
 * Does a file begin with a line by which Node.js runs it: "#!/usr/bin/node", "#!/usr/bin/env node",
 * "#!/usr/bin/env -S node --option"? The shell script that pnpm writes for such a file counts, too,
 * as it becomes node by `exec`. Pure.
 */
bool node_command_is_script(const char *text, size_t length);

/*
 * Does a command run Node.js in its own process: as node itself, as a symbolic link to it, or as a
 * script of Node.js? Reads the beginning of the program's file.
 *
 * directory  where the command is run
 * path       PATH, for a name without '/'; NULL: there is none
 */
bool node_command_is_node(char *const *command, const char *directory, const char *path);

/*
 * Find a program as exec() would: on the path, or by a name with a '/', which need not exist.
 * Returns false if there is none.
 */
bool node_command_find(const char *name, const char *directory, const char *path,
		       char ret_file[PATH_MAX]);

/* Would exec() start this program? A script needs a first line that names its interpreter. */
bool node_command_is_program(const char *name, const char *directory, const char *path);

#endif
