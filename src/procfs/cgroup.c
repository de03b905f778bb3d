// SPDX-License-Identifier: MIT
#include "procfs/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Is this one of the words of a list with commas? An empty list has one word, the empty one. */
static bool names(const char *list, const char *word)
{
	size_t length = strlen(word), part;

	for (;; list += part + 1) {
		part = strcspn(list, ",");
		if (part == length && !strncmp(list, word, length))
			return true;
		if (!list[part])
			return false;
	}
}

/* Each line of the file is ID:CONTROLLERS:PATH. */
static int find_in(const char *name, const char *controller, char ret_path[PATH_MAX])
{
	FILE *file = fopen(name, "re");
	char line[PATH_MAX + 64];
	int found = -1;

	if (!file)
		return -1;
	while (found && fgets(line, sizeof(line), file)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (!path || path[1] != '/' || strlen(path + 1) >= PATH_MAX)
			continue;
		*path++ = '\0';
		if (!names(list + 1, controller))
			continue;
		strcpy(ret_path, path);
		found = 0;
	}
	fclose(file);
	return found;
}

int cgroup_find(const char *controller, char ret_path[PATH_MAX])
{
	return find_in("/proc/self/cgroup", controller, ret_path);
}

int cgroup_find_of(pid_t pid, char ret_path[PATH_MAX])
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	return find_in(name, "", ret_path);
}
