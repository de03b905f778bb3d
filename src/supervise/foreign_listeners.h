/* SPDX-License-Identifier: MIT */
/*
 * Finds listening sockets of other processes at our ports. Such a socket is in our group of
 * sockets, or at a more specific address, and gets connections that are meant for our workers. The
 * kernel allows this to processes of our uid.
 */
#ifndef STICKY_SUPERVISE_FOREIGN_LISTENERS_H
#define STICKY_SUPERVISE_FOREIGN_LISTENERS_H

#include <jansson.h>

struct foreign_listeners;
struct supervisor;

/* Make the object. Returns 0 or -ENOMEM. foreign_listeners_close() frees it. */
int foreign_listeners_open(struct supervisor *supervisor, struct foreign_listeners **ret_foreign);

/* Free the object. NULL is allowed. */
void foreign_listeners_close(struct foreign_listeners *foreign);

/*
 * Look for foreign listening sockets. Each one is reported once, with its process, by the event
 * `foreign_listener`. Costs a walk over the listening sockets of the network namespace. If one is
 * found, costs a walk over the descriptors of all processes, too.
 */
void foreign_listeners_look(struct foreign_listeners *foreign);

/*
 * Returns the foreign listening sockets of the last look, for the status document: a list of
 * objects, the caller's.
 */
json_t *foreign_listeners_json(const struct foreign_listeners *foreign);

#endif
