// SPDX-License-Identifier: MIT
#include "procfs/socket_use.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_SIZE 320

/* Is the socket in an epoll set? The set's fdinfo has a line for each member, with its inode. */
static bool is_in_set(pid_t pid, const char *number, uint32_t inode)
{
	char path[PATH_SIZE], line[256];
	bool is_found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, number);
	file = fopen(path, "re");
	while (file && !is_found && fgets(line, sizeof(line), file)) {
		const char *at = strncmp(line, "tfd:", 4) ? NULL : strstr(line, "ino:");
		uint32_t found;

		is_found = at && sscanf(at, "ino:%" SCNx32, &found) == 1 && found == inode;
	}
	if (file)
		fclose(file);
	return is_found;
}

/* Read what a descriptor is, as "socket:[12]" or "anon_inode:[eventpoll]". */
static void read_target(pid_t pid, const char *number, size_t size, char *ret_target)
{
	char path[PATH_SIZE];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, number);
	length = readlink(path, ret_target, size - 1);
	ret_target[length > 0 ? length : 0] = '\0';
}

static int look_at_descriptors(pid_t pid, uint32_t inode)
{
	const struct dirent *entry;
	char path[PATH_SIZE], target[64];
	int result = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (!result && (entry = readdir(directory))) {
		read_target(pid, entry->d_name, sizeof(target), target);
		if (!strcmp(target, "anon_inode:[eventpoll]"))
			result = is_in_set(pid, entry->d_name, inode);
		else if (!strcmp(target, "anon_inode:[io_uring]"))
			result = 1;
	}
	closedir(directory);
	return result;
}

/* Is a thread in accept() on the socket? proc_pid_syscall(5): the number, and the arguments. */
static bool accepts(pid_t pid, const char *thread, uint32_t inode)
{
	char path[PATH_SIZE], number[16], target[64];
	unsigned int fd = 0;
	uint32_t found;
	int call = -1, count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, thread);
	file = fopen(path, "re");
	if (file) {
		count = fscanf(file, "%d %x", &call, &fd);
		fclose(file);
	}
	if (count != 2 || (call != SYS_accept && call != SYS_accept4))
		return false;
	snprintf(number, sizeof(number), "%u", fd);
	read_target(pid, number, sizeof(target), target);
	return sscanf(target, "socket:[%" SCNu32, &found) == 1 && found == inode;
}

static int look_at_threads(pid_t pid, uint32_t inode)
{
	const struct dirent *entry;
	char path[PATH_SIZE];
	bool is_found = false;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (!is_found && (entry = readdir(directory)))
		is_found = entry->d_name[0] != '.' && accepts(pid, entry->d_name, inode);
	closedir(directory);
	return is_found;
}

int process_waits_for_socket(pid_t pid, uint32_t inode)
{
	int result = look_at_descriptors(pid, inode);

	return result ? result : look_at_threads(pid, inode);
}
