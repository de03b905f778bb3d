// SPDX-License-Identifier: MIT
#include "procfs/oom_kills.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "procfs/cgroup.h"

#define RECENT_MS 2000

/* Read the line "oom_kill NUMBER" of a file. Returns 0, or -1: there is none. */
static int read_count(const char *path, uint64_t *ret_count)
{
	FILE *file = fopen(path, "re");
	char line[128];
	int found = -1;

	if (!file)
		return -1;
	while (found && fgets(line, sizeof(line), file))
		if (sscanf(line, "oom_kill %" SCNu64, ret_count) == 1)
			found = 0;
	fclose(file);
	return found;
}

/*
 * Read a file of the process's own cgroup, or of the root, which is the own cgroup in a container.
 */
static int read_of_cgroup(const char *controller, const char *mount, const char *name,
			  uint64_t *ret_count)
{
	char cgroup[PATH_MAX], path[2 * PATH_MAX];

	if (cgroup_find(controller, cgroup))
		return -1;
	snprintf(path, sizeof(path), "%s%s/%s", mount, cgroup, name);
	if (!read_count(path, ret_count))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", mount, name);
	return read_count(path, ret_count);
}

/* Returns the number of kills. If no file has it, returns 0 each time, so that it never rises. */
static uint64_t count_kills(void)
{
	uint64_t count = 0;

	if (!read_of_cgroup("", CGROUP_ROOT, "memory.events", &count) ||
	    !read_of_cgroup("memory", CGROUP_ROOT "/memory", "memory.oom_control", &count))
		return count;
	/* Outside of all cgroups, take the number of the whole machine. */
	read_count("/proc/vmstat", &count);
	return count;
}

void oom_kills_begin(struct oom_kills *kills)
{
	*kills = (struct oom_kills){.count = count_kills()};
}

bool oom_kills_look(struct oom_kills *kills, uint64_t now_ms)
{
	uint64_t count = count_kills();

	if (count > kills->count)
		kills->seen_ms = now_ms;
	kills->count = count;
	return kills->seen_ms && now_ms - kills->seen_ms < RECENT_MS;
}
