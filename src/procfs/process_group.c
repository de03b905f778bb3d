// SPDX-License-Identifier: MIT
#include "procfs/process_group.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int process_group_each(pid_t group, process_group_found_fn *found, void *context)
{
	const struct dirent *entry;
	DIR *directory = opendir("/proc");
	bool goes_on = true;

	if (!directory)
		return -errno;
	while (goes_on && (entry = readdir(directory))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && getpgid(pid) == group)
			goes_on = found(context, pid);
	}
	closedir(directory);
	return 0;
}
