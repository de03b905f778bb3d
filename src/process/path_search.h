/* SPDX-License-Identifier: MIT */
/*
 * Lists the files that a command may mean, in the order of PATH. Pure: the child finds out which of
 * them exist.
 */
#ifndef STICKY_PROCESS_PATH_SEARCH_H
#define STICKY_PROCESS_PATH_SEARCH_H

#define PATH_ENTRIES_MAX 64

struct candidates {
	char *files[PATH_ENTRIES_MAX + 1]; /* ends with NULL */
	char *buffer;
};

/*
 * List the files that a command may mean.
 *
 * command  used as it is if it contains a slash
 * path     PATH of the worker's environment; NULL: a default
 *
 * Returns 0 or -ENOMEM.
 */
int candidates_find(const char *command, const char *path, struct candidates *ret);

/* Free the list that candidates_find() made. */
void candidates_fini(struct candidates *candidates);

#endif
