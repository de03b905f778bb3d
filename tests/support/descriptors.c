// SPDX-License-Identifier: MIT
#include "descriptors.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

uint32_t descriptors_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	uint32_t count = 0;

	assert(directory);
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count - 1; /* the descriptor of the directory itself is not counted */
}

static void set_limit(rlim_t limit)
{
	struct rlimit limits;

	getrlimit(RLIMIT_NOFILE, &limits);
	limits.rlim_cur = limit < limits.rlim_max ? limit : limits.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limits);
}

/*
 * The limit applies to the numbers of descriptors, and the numbers in use may have gaps between
 * them.
 */
void descriptors_limit(uint32_t more)
{
	rlim_t next = 0;

	descriptors_unlimit();
	for (;; next++) {
		if (fcntl((int)next, F_GETFD) >= 0)
			continue;
		if (more-- == 0)
			break;
	}
	set_limit(next);
}

void descriptors_unlimit(void)
{
	set_limit(RLIM_INFINITY);
}
