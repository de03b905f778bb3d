/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that end: a worker may shut down its own (shutdown(2), connect(2)). The kernel
 * then removes it from the map, no connection comes any more, and the process goes on. Our
 * duplicate of the socket reports a hang-up. It is watched for that alone: a connection causes no
 * wake-up here.
 */
#ifndef STICKY_SUPERVISE_SOCKET_HANGUP_H
#define STICKY_SUPERVISE_SOCKET_HANGUP_H

#include <event2/event.h>

struct hangup;

/* Called when a socket has ended, in each turn of the loop until it is removed. who: as added. */
typedef void hangup_fn(void *who);

/* Open a set of sockets to watch; fn is called for each that ends. Returns 0 or -errno. */
int hangup_open(struct event_base *base, hangup_fn *fn, struct hangup **ret_hangup);

/* Close it. The sockets in it stay open. NULL is allowed. */
void hangup_close(struct hangup *hangup);

/* Watch a listening socket. who: the argument of fn. Returns 0 or -errno. */
int hangup_add(struct hangup *hangup, int fd, void *who);

/*
 * Do not watch a socket any more. To be called before it is closed: the worker may still have it
 * open, and would keep it in the set. A socket that is not watched is allowed.
 */
void hangup_remove(struct hangup *hangup, int fd);

#endif
