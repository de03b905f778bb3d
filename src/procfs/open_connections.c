// SPDX-License-Identifier: MIT
#include "procfs/open_connections.h"

#include <stdbool.h>
#include <stdlib.h>

#include "procfs/process_sockets.h"
#include "procfs/sockdiag.h"

struct look {
	const uint32_t *inodes; /* in ascending order */
	size_t count;
	bool is_found;
};

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool look_at(void *context, int number, uint32_t inode)
{
	struct look *look = context;

	(void)number;
	look->is_found = bsearch(&inode, look->inodes, look->count, sizeof(inode), compare);
	return !look->is_found;
}

int connections_are_open(pid_t pid, const uint16_t *ports, size_t port_count)
{
	uint32_t *inodes = NULL;
	long count = sockdiag_connections(ports, port_count, &inodes);
	struct look look = {.inodes = inodes, .count = count > 0 ? (size_t)count : 0};
	int error = count < 0 ? (int)count : 0;

	if (look.count)
		error = process_each_socket(pid, look_at, &look);
	free(inodes);
	return error ? error : look.is_found;
}
