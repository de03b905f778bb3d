// SPDX-License-Identifier: MIT
#include "procfs/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/sockdiag.h"
#include "common/sanitize.h"

/*
 * Accepted connections by inode number. `is_counted` tells for each of them whether it was already
 * found in a process.
 */
struct open_connections {
	uint32_t *inodes; /* in ascending order */
	bool *is_counted;
	size_t count;
};

/* The process groups to look for, and the results. */
struct walk {
	const pid_t *groups;
	uint32_t count;
	struct run_usage *usages;
	struct open_connections connections;
};

/* Read a small file. Returns its length in bytes, or 0 if it can't be read. */
static size_t read_at(int directory, const char *name, char *text, size_t size)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return 0;
	length = read(fd, text, size - 1);
	close(fd);
	if (length < 0)
		length = 0;
	text[length] = '\0';
	return (size_t)length;
}

struct stat_fields {
	pid_t group;
	uint64_t cpu_ticks;
	uint64_t rss_pages;
};

/*
 * Read /proc/PID/stat, see proc_pid_stat(5). The command's name, in parentheses, may contain
 * parentheses itself. The other fields begin behind the last ')'.
 */
static bool parse_stat(const char *text, struct stat_fields *ret_fields)
{
	const char *end = strrchr(text, ')');
	uint64_t user, system, rss;
	int group;

	if (!end || sscanf(end + 1,
			   " %*c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
			   " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNu64,
			   &group, &user, &system, &rss) != 4)
		return false;
	*ret_fields =
		(struct stat_fields){.group = group, .cpu_ticks = user + system, .rss_pages = rss};
	return true;
}

static int compare_inodes(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Count a link of /proc/PID/fd. Returns true if it is a connection that was not counted yet. */
static bool count_connection(struct open_connections *connections, const char *link)
{
	const uint32_t *found;
	uint32_t inode;
	bool *is_counted;

	if (sscanf(link, "socket:[%" SCNu32 "]", &inode) != 1)
		return false;
	if (!connections->is_counted)
		return false;
	found = bsearch(&inode, connections->inodes, connections->count, sizeof(inode),
			compare_inodes);
	if (!found)
		return false;
	is_counted = &connections->is_counted[found - connections->inodes];
	if (*is_counted)
		return false;
	*is_counted = true;
	return true;
}

static uint32_t count_connections(int process, struct open_connections *connections)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint32_t count = 0;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(directory))) {
		char link[64];
		ssize_t length = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);

		if (length <= 0)
			continue;
		link[length] = '\0';
		count += count_connection(connections, link);
	}
	closedir(directory);
	return count;
}

static void add_process(struct walk *walk, int process, pid_t pid)
{
	char text[1024];
	struct stat_fields fields;
	struct run_usage *usage;
	uint32_t i;

	if (!read_at(process, "stat", text, sizeof(text)) || !parse_stat(text, &fields))
		return;
	for (i = 0; i < walk->count && walk->groups[i] != fields.group; i++)
		;
	if (i == walk->count)
		return;
	usage = &walk->usages[i];
	usage->rss_bytes += fields.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	usage->cpu_ms += fields.cpu_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	if (walk->connections.count)
		usage->connections += count_connections(process, &walk->connections);
	if (pid == fields.group) {
		ssize_t length = readlinkat(process, "cwd", usage->cwd, sizeof(usage->cwd) - 1);

		usage->cwd[length > 0 ? length : 0] = '\0';
		text_clean_line(usage->cwd);
	}
}

static void walk_proc(struct walk *walk)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		int process;

		if (pid <= 0)
			continue;
		process = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		add_process(walk, process, pid);
		close(process);
	}
	closedir(proc);
}

void usage_measure(const pid_t *groups, uint32_t count, const uint16_t *ports, size_t port_count,
		   struct run_usage *ret_usages)
{
	struct walk walk = {.groups = groups, .count = count, .usages = ret_usages};
	long connections = sockdiag_connections(ports, port_count, &walk.connections.inodes);

	if (connections > 0) {
		walk.connections.is_counted = calloc((size_t)connections, sizeof(bool));
		if (walk.connections.is_counted)
			walk.connections.count = (size_t)connections;
	}
	walk_proc(&walk);
	free(walk.connections.inodes);
	free(walk.connections.is_counted);
}
