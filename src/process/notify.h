/* SPDX-License-Identifier: MIT */
/*
 * The socket that NOTIFY_SOCKET names: sd_notify(3)'s protocol. The kernel says who sent a
 * datagram; the receiver decides whom it believes.
 */
#ifndef STICKY_PROCESS_NOTIFY_H
#define STICKY_PROCESS_NOTIFY_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct notify;

/* What one datagram says. */
struct notify_message {
	bool ready;
	bool stopping;
	bool alive;	    /* WATCHDOG=1 */
	const char *status; /* NULL: not in it */
};

/* sender: a process that has not been reaped yet. */
typedef void notify_fn(void *context, pid_t sender, const struct notify_message *message);

/*
 * Bind the socket.
 *
 * path  removed first; workers of another user can reach it only where they may pass its
 *       directories
 * uid   its owner, who may write to it, as root may
 *
 * Returns 0 or -errno.
 */
int notify_open(struct event_base *base, const char *path, uid_t uid, notify_fn *fn, void *context,
		struct notify **ret_notify);

/* Close the socket; its file stays. NULL is allowed. */
void notify_close(struct notify *notify);

/* Handle the messages that have arrived, before a sender is reaped: then it could not be
 * identified. */
void notify_drain(struct notify *notify);

/*
 * Read a datagram's text; it is cut into lines. Pure.
 * Returns 0, or -EINVAL where no line of it is known.
 */
int notify_parse(char *text, struct notify_message *ret_message);

#endif
