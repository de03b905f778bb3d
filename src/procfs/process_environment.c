// SPDX-License-Identifier: MIT
#include "procfs/process_environment.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t process_environment_read(pid_t pid, size_t size, char *ret_text)
{
	char path[32];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, ret_text, size - 1);
	if (fd >= 0)
		close(fd);
	ret_text[length > 0 ? length : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

const char *process_environment_value(const char *text, size_t length, const char *name)
{
	size_t name_length = strlen(name);
	const char *at;

	for (at = text; at < text + length; at += strlen(at) + 1)
		if (!strncmp(at, name, name_length) && at[name_length] == '=')
			return at + name_length + 1;
	return NULL;
}
