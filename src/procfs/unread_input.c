// SPDX-License-Identifier: MIT
#include "procfs/unread_input.h"

#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

#include "procfs/process_sockets.h"
#include "procfs/sockdiag.h"

/* A socket with unread input at one of the ports. It may belong to another process. */
struct candidate {
	uint32_t inode;
	enum unread unread;
	UT_hash_handle hh;
};

/*
 * Judge a socket. Only if the process has read nothing of the bytes that were received, it is
 * certain that a client waits for it. Otherwise the bytes may be another request, or a part of one.
 */
static enum unread judge(const struct sockdiag_socket *socket)
{
	if (socket->listens)
		return socket->queue ? UNREAD_SOME : UNREAD_NONE;
	if (!socket->received)
		return UNREAD_QUIET;
	if (socket->queue >= socket->received)
		return UNREAD_SOME;
	return socket->queue ? UNREAD_QUIET : UNREAD_NONE;
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

struct look {
	struct candidate *candidates;
	enum unread most;
};

static bool look_at(void *context, int number, uint32_t inode)
{
	struct look *look = context;
	const struct candidate *found;

	(void)number;
	HASH_FIND(hh, look->candidates, &inode, sizeof(inode), found);
	if (found && found->unread > look->most)
		look->most = found->unread;
	return look->most != UNREAD_SOME;
}

int unread_look(pid_t pid, const uint16_t *ports, size_t port_count)
{
	struct look look = {.most = UNREAD_NONE};
	int error = sockdiag_walk(ports, port_count, note, &look.candidates);

	if (!error && look.candidates)
		error = process_each_socket(pid, look_at, &look);
	forget(look.candidates);
	return error ? error : (int)look.most;
}
