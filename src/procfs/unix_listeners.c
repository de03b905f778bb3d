// SPDX-License-Identifier: MIT
#include "procfs/unix_listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCEPTS 0x10000 /* __SO_ACCEPTCON of linux/net.h: the socket listens */
#define STREAM	1

/*
 * The file has lines such as
 *
 * 	ffff9a3c: 00000002 00000000 00010000 0001 01 31415 /run/sticky/web/control.sock
 */
const char *unix_listener_path(char *line)
{
	unsigned int flags, type;
	int begin = 0;

	line[strcspn(line, "\n")] = '\0';
	/* Without a path there is nothing behind the inode, and `begin` stays 0. */
	if (sscanf(line, "%*x: %*x %*x %x %x %*x %*u %n", &flags, &type, &begin) != 2 || !begin)
		return NULL;
	return (flags & ACCEPTS) && type == STREAM && line[begin] == '/' ? line + begin : NULL;
}

int unix_listeners_each(unix_listener_fn *fn, void *context)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	if (!file)
		return -errno;
	while (!result && getline(&line, &size, file) > 0) {
		const char *path = unix_listener_path(line);

		if (path)
			result = fn(context, path);
	}
	free(line);
	fclose(file);
	return result;
}
