/* SPDX-License-Identifier: MIT */
/*
 * Notices listening sockets that end: a worker may shut down its own socket (shutdown(2),
 * connect(2)). The kernel then removes it from the map, and no connection arrives any more, while
 * the process still runs. The controller's duplicate of the socket reports a hang-up. It is watched
 * only for that: a connection does not wake the controller.
 */
#ifndef STICKY_SUPERVISE_SOCKET_HANGUP_H
#define STICKY_SUPERVISE_SOCKET_HANGUP_H

#include <event2/event.h>

struct hangup;

/*
 * Called when a socket has ended, in each turn of the loop until the socket is removed. who: as in
 * hangup_add().
 */
typedef void hangup_fn(void *who);

/* Open a set of sockets to watch; fn is called for each that ends. Returns 0 or -errno. */
int hangup_open(struct event_base *base, hangup_fn *fn, struct hangup **ret_hangup);

/* Close the set. The sockets in it stay open. NULL is allowed. */
void hangup_close(struct hangup *hangup);

/* Watch a listening socket. who: the argument of fn. Returns 0 or -errno. */
int hangup_add(struct hangup *hangup, int fd, void *who);

/*
 * Stop watching a socket. This must be called before the socket is closed: the worker may still
 * have it open, and would keep it in the set. A socket that is not watched is allowed.
 */
void hangup_remove(struct hangup *hangup, int fd);

#endif
