// SPDX-License-Identifier: MIT
#include "procfs/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sanitize.h"

#define DEPTH_MAX 64 /* number of parents that are looked at */

/* Read a file of /proc/PID. Returns its length; 0: it could not be read. */
static size_t read_file(const char *path, size_t size, char *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, ret_text, size - 1);

	if (fd >= 0)
		close(fd);
	ret_text[length > 0 ? length : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

int process_entry_read(pid_t pid, struct process_entry *ret_entry)
{
	struct process_entry entry = {.pid = pid};
	char path[64], text[1024];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!read_file(path, sizeof(text), text))
		return -ESRCH;
	/* The command's name, in brackets, may contain brackets. */
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1,
			   " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			   "%*d %" SCNu64,
			   &entry.state, &entry.parent, &entry.group, &entry.start) != 4)
		return -ESRCH;
	*ret_entry = entry;
	return 0;
}

bool process_descends(pid_t pid, pid_t ancestor)
{
	struct process_entry entry = {.parent = pid};
	int depth;

	for (depth = 0; depth < DEPTH_MAX && entry.parent > 1; depth++) {
		if (entry.parent == ancestor)
			return true;
		if (process_entry_read(entry.parent, &entry))
			return false;
	}
	return false;
}

static size_t add_children_of_thread(const char *path, size_t count, struct process_entry *entries)
{
	char text[4096], *at = text, *end;

	read_file(path, sizeof(text), text);
	while (count < PROCESS_TREE_MAX) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		at = end;
		count += process_entry_read(pid, &entries[count]) == 0;
	}
	return count;
}

/* Add the children of all threads of a process: each thread has its own. */
static size_t add_children(pid_t pid, size_t count, struct process_entry *entries)
{
	const struct dirent *entry;
	char path[320];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, entry->d_name);
		count = add_children_of_thread(path, count, entries);
	}
	if (threads)
		closedir(threads);
	return count;
}

size_t process_descendants(pid_t pid, struct process_entry *ret_entries)
{
	size_t count = add_children(pid, 0, ret_entries), i;

	for (i = 0; i < count; i++)
		count = add_children(ret_entries[i].pid, count, ret_entries);
	return count;
}

void process_command(pid_t pid, char ret_text[PROCESS_COMMAND_SIZE])
{
	char path[64];
	size_t length, i;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	length = read_file(path, PROCESS_COMMAND_SIZE, ret_text);
	for (i = 0; i + 1 < length; i++)
		if (!ret_text[i])
			ret_text[i] = ' ';
	if (!length) {
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		read_file(path, PROCESS_COMMAND_SIZE, ret_text);
		ret_text[strcspn(ret_text, "\n")] = '\0';
	}
	text_clean_value(ret_text);
}
