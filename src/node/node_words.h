/* SPDX-License-Identifier: MIT */
/* The words of a command line of Node.js: its own options, the script, the script's arguments.
 * Pure. */
#ifndef STICKY_NODE_NODE_WORDS_H
#define STICKY_NODE_NODE_WORDS_H

#include <stdbool.h>

/*
 * Returns how many words an option of Node.js has: 2 for "-r ./x.js", 1 for "--require=./x.js" and
 * for "--inspect". The second word may be missing.
 */
int node_words_of_option(const char *option);

/* Is this --watch, --watch-path or another option of the watch mode? */
bool node_words_is_watch(const char *option);

/*
 * Returns the script, as the first word that is neither an option nor the value of one; NULL: there
 * is none.
 *
 * word  the words behind "node"
 */
char *const *node_words_script(char *const *word);

/* Does an option of the watch mode come before the script? */
bool node_words_are_watched(char *const *word);

/*
 * Does the command name no file? This is so for `node -e CODE`, `node -p CODE`, and `node` that
 * reads its program from stdin. Node.js then does not read the cluster primary's messages, so that
 * listen() never ends. (`node -e CODE WORD` is a worker: any word will do for a file.)
 */
bool node_words_lack_file(char *const *word);

/* Returns NAME of `node --run NAME`, which runs a script of package.json; NULL: it is not there. */
const char *node_words_run(char *const *word);

/* Does this word have the name of a script: app.js, app.mjs, app.cjs, app.ts? */
bool node_words_is_script_name(const char *word);

#endif
