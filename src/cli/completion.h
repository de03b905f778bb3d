/* SPDX-License-Identifier: MIT */
/*
 * What the last word of a command line can be. The scripts of the shells, src/cli/completion.*, ask
 * for it at each TAB, so that they know the options of the program that is installed.
 */
#ifndef STICKY_CLI_COMPLETION_H
#define STICKY_CLI_COMPLETION_H

#include <stddef.h>

/*
 * Called with each possible word, and what it means. These are no words, and the shell lists them
 * by itself: ":files", ":dirs", ":users", ":commands".
 *
 * description  one line; "": none
 */
typedef void completion_fn(void *context, const char *word, const char *description);

/*
 * List the words that can stand at the end of a command line.
 *
 * words  of the command line, behind "stickyctl": the last one has been begun, and may be empty.
 *        Behind "--option=" only the value counts
 * count  number of words, above 0
 */
void completion_list(char *const *words, size_t count, completion_fn *fn, void *context);

#endif
