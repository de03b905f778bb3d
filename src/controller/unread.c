// SPDX-License-Identifier: MIT
#include "unread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>

#include "sockdiag.h"

/* A socket with which the process has not begun, if it is the process'. */
struct candidate {
	uint32_t inode;
	enum unread unread;
	UT_hash_handle hh;
};

static enum unread judge(const struct sockdiag_socket *socket)
{
	if (socket->listens)
		return socket->queue ? UNREAD_SOME : UNREAD_NONE;
	if (!socket->received)
		return UNREAD_SILENT;
	return socket->queue >= socket->received ? UNREAD_SOME : UNREAD_NONE;
}

static int note(void *context, const struct sockdiag_socket *socket)
{
	struct candidate **candidates = context, *candidate;
	enum unread unread = judge(socket);

	if (unread == UNREAD_NONE)
		return 0;
	candidate = malloc(sizeof(*candidate));
	if (!candidate)
		return -ENOMEM;
	*candidate = (struct candidate){.inode = socket->inode, .unread = unread};
	HASH_ADD(hh, *candidates, inode, sizeof(candidate->inode), candidate);
	return 0;
}

static void forget(struct candidate *candidates)
{
	struct candidate *candidate, *next;

	HASH_ITER (hh, candidates, candidate, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): out, then freed */
		HASH_DEL(candidates, candidate);
		free(candidate);
	}
}

static enum unread look_up(struct candidate *candidates, const char *link)
{
	const struct candidate *found;
	uint32_t inode;

	if (sscanf(link, "socket:[%" SCNu32 "]", &inode) != 1)
		return UNREAD_NONE;
	HASH_FIND(hh, candidates, &inode, sizeof(inode), found);
	return found ? found->unread : UNREAD_NONE;
}

static int look_at_descriptors(pid_t pid, struct candidate *candidates)
{
	char path[32], link[64];
	const struct dirent *entry;
	enum unread most = UNREAD_NONE;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (most != UNREAD_SOME && (entry = readdir(directory))) {
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
		enum unread unread;

		if (length <= 0)
			continue;
		link[length] = '\0';
		unread = look_up(candidates, link);
		if (unread > most)
			most = unread;
	}
	closedir(directory);
	return most;
}

int unread_look(pid_t pid, const uint16_t *ports, size_t port_count)
{
	struct candidate *candidates = NULL;
	int result = sockdiag_walk(ports, port_count, note, &candidates);

	if (!result && candidates)
		result = look_at_descriptors(pid, candidates);
	forget(candidates);
	return result;
}
