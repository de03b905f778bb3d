// SPDX-License-Identifier: MIT
#include "procfs/process_sockets.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Read the inode number of a socket from a link of /proc/PID/fd. Returns false if the link is not a
 * socket.
 */
static bool read_inode(int directory, const char *name, uint32_t *ret_inode)
{
	char link[64];
	ssize_t length = readlinkat(directory, name, link, sizeof(link) - 1);

	if (length <= 0)
		return false;
	link[length] = '\0';
	return sscanf(link, "socket:[%" SCNu32 "]", ret_inode) == 1;
}

int process_each_socket(pid_t pid, process_socket_found_fn *found, void *context)
{
	const struct dirent *entry;
	bool goes_on = true;
	char path[32];
	uint32_t inode;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (goes_on && (entry = readdir(directory)))
		if (read_inode(dirfd(directory), entry->d_name, &inode))
			goes_on = found(context, (int)strtol(entry->d_name, NULL, 10), inode);
	closedir(directory);
	return 0;
}
