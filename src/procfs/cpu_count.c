// SPDX-License-Identifier: MIT
#include "procfs/cpu_count.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "procfs/cgroup.h"

static uint32_t count_affinity(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}

/*
 * Read cpu.max: "QUOTA PERIOD" or "max PERIOD", both in microseconds. Returns the quota in whole
 * CPUs, rounded up; 0: no limit.
 */
static uint32_t read_limit(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t quota, period;
	int found;

	if (!file)
		return 0;
	found = fscanf(file, "%" SCNu64 " %" SCNu64, &quota, &period);
	fclose(file);
	if (found != 2 || !period || quota > UINT32_MAX)
		return 0;
	return quota ? (uint32_t)((quota + period - 1) / period) : 1;
}

uint32_t cpus_usable(void)
{
	uint32_t cpus = count_affinity();
	char cgroup[PATH_MAX], path[2 * PATH_MAX];
	char *slash;

	if (cpus < 1)
		cpus = 1;
	if (cgroup_find("", cgroup))
		return cpus;
	/*
	 * Look at the process's cgroup and at all cgroups above it. The apparent root may be the
	 * cgroup of a container, with a limit of its own.
	 */
	do {
		uint32_t limit;

		slash = strrchr(cgroup, '/');
		snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.max", cgroup);
		limit = read_limit(path);
		if (limit && limit < cpus)
			cpus = limit;
		if (slash)
			*slash = '\0';
	} while (slash);
	return cpus;
}
