// SPDX-License-Identifier: MIT
#include "kernel_memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Returns the number behind a name at the beginning of a line; 0 if the file has no such line. */
static long read_number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(name);
	char line[256];
	long number = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && sscanf(line + length, "%ld", &number) == 1)
			break;
	fclose(file);
	return number;
}

long kernel_memory_bpf(void)
{
	DIR *directory = opendir("/proc/self/fdinfo");
	struct dirent *entry;
	char path[sizeof("/proc/self/fdinfo/") + sizeof(entry->d_name)];
	long sum = 0, number;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		number = entry->d_name[0] == '.' ? 0 : read_number(path, "memlock:");
		sum += number > 0 ? number : 0;
	}
	closedir(directory);
	return sum;
}

long kernel_memory_slab(void)
{
	long kilobytes = read_number("/proc/meminfo", "Slab:");

	return kilobytes < 0 ? kilobytes : kilobytes * 1024;
}
