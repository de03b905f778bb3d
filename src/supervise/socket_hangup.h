/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that end: a worker that shuts its own (shutdown(2), connect(2)) is deaf, its
 * entry in the map is gone, and its process lives on. Our duplicate of the socket hangs up then.
 * It is watched for that alone: arriving connections wake nobody here.
 */
#ifndef STICKY_SUPERVISE_SOCKET_HANGUP_H
#define STICKY_SUPERVISE_SOCKET_HANGUP_H

#include <event2/event.h>

struct hangup;

/* Called when a socket has ended, again and again until it is removed; `who` as it was added. */
typedef void hangup_fn(void *who);

/* Returns 0 or -errno. */
int hangup_open(struct event_base *base, hangup_fn *fn, struct hangup **ret_hangup);

/* NULL is allowed. */
void hangup_close(struct hangup *hangup);

/* Watch a listening socket. Returns 0 or -errno. */
int hangup_add(struct hangup *hangup, int fd, void *who);

/* Before it is closed: the worker may have it open still. One that is not watched is allowed. */
void hangup_remove(struct hangup *hangup, int fd);

#endif
