/* SPDX-License-Identifier: MIT */
/*
 * Lists what the last word of a command line can be. The scripts of the shells,
 * src/cli/completion.*, ask for this at each TAB, so that they know the options of the program that
 * is installed.
 */
#ifndef STICKY_CLI_COMPLETION_H
#define STICKY_CLI_COMPLETION_H

#include <stddef.h>

/*
 * Called with each possible word, and its description. For ":files", ":dirs", ":users" and
 * ":commands", which are not words, the shell lists files and so on by itself.
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
