/* SPDX-License-Identifier: MIT */
/*
 * The socket that NOTIFY_SOCKET names: sd_notify(3)'s protocol. The kernel says which process sent
 * a datagram; the notify_fn decides which senders it believes.
 */
#ifndef STICKY_PROCESS_NOTIFY_H
#define STICKY_PROCESS_NOTIFY_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct notify;

/* The content of a datagram. */
struct notify_message {
	bool ready;
	bool stopping;
	bool alive;	    /* WATCHDOG=1 */
	const char *status; /* NULL: the datagram has none */
};

/* Receive a message. sender: a process that has not been reaped yet. */
typedef void notify_fn(void *context, pid_t sender, const struct notify_message *message);

/*
 * Bind the socket.
 *
 * path  an existing file there is removed; workers of another user need search permission for its
 *       directories
 * uid   the socket's owner; only the owner and root may write to it
 *
 * Returns 0 or -errno.
 */
int notify_open(struct event_base *base, const char *path, uid_t uid, notify_fn *fn, void *context,
		struct notify **ret_notify);

/* Close the socket; its file stays. NULL is allowed. */
void notify_close(struct notify *notify);

/*
 * Handle the messages that have arrived. This is done before a process is reaped, as its messages
 * could not be attributed to it afterwards.
 */
void notify_drain(struct notify *notify);

/*
 * Parse the text of a datagram. The text is cut into lines. Pure. Returns 0, or -EINVAL if none of
 * its lines is known.
 */
int notify_parse(char *text, struct notify_message *ret_message);

#endif
