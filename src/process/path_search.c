// SPDX-License-Identifier: MIT
#include "process/path_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * List the files that a command may mean: its own path if it contains a '/', else one file in each
 * directory of PATH.
 */
int candidates_find(const char *command, const char *path, struct candidates *ret)
{
	size_t count = 0, size;
	char *to;

	*ret = (struct candidates){0};
	if (!path)
		path = "/usr/local/bin:/usr/bin:/bin";
	size = strchr(command, '/') ? strlen(command) + 1
				    : strlen(path) + PATH_ENTRIES_MAX * (strlen(command) + 3);
	to = ret->buffer = malloc(size);
	if (!to)
		return -ENOMEM;
	if (strchr(command, '/')) {
		ret->files[0] = strcpy(to, command);
		return 0;
	}
	while (count < PATH_ENTRIES_MAX) {
		int directory = (int)strcspn(path, ":");

		ret->files[count++] = to;
		to += sprintf(to, "%.*s/%s", directory ? directory : 1, directory ? path : ".",
			      command) +
		      1;
		if (!path[directory])
			break;
		path += directory + 1;
	}
	return 0;
}

void candidates_fini(struct candidates *candidates)
{
	free(candidates->buffer);
	*candidates = (struct candidates){0};
}
