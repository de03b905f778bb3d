// SPDX-License-Identifier: MIT
#include "procfs/process_descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns the number behind a word at the beginning of a line, or -errno. */
static int read_number(const char *path, const char *word, int base)
{
	char line[256];
	FILE *file = fopen(path, "re");
	int result = -EBADMSG;

	if (!file)
		return -errno;
	while (result < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)))
			result = (int)strtol(line + strlen(word), NULL, base);
	fclose(file);
	return result;
}

pid_t process_of_thread(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return read_number(path, "Tgid:", 10);
}

int process_descriptor_flags(pid_t pid, int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
	return read_number(path, "flags:", 8);
}

bool process_descriptor_is_socket(pid_t pid, int number)
{
	static const char socket[] = "socket:[";
	char path[64], target[sizeof(socket)];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	return readlink(path, target, sizeof(target)) == (ssize_t)sizeof(target) &&
	       !memcmp(target, socket, strlen(socket));
}
