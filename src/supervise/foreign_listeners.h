/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets of others at our ports: in our group of sockets, or at a more specific address,
 * where they get connections that are meant for our workers. The kernel lets processes of our uid
 * do that.
 */
#ifndef STICKY_SUPERVISE_FOREIGN_LISTENERS_H
#define STICKY_SUPERVISE_FOREIGN_LISTENERS_H

#include <jansson.h>

struct foreign_listeners;
struct supervisor;

/* Returns 0 or -ENOMEM. foreign_listeners_close() frees it. */
int foreign_listeners_open(struct supervisor *supervisor, struct foreign_listeners **ret_foreign);

/* NULL is allowed. */
void foreign_listeners_close(struct foreign_listeners *foreign);

/*
 * Look for them. Each one is said once: event `foreign_listener`, with who has it. Costs a walk
 * over the listening sockets of the network namespace; where one is found, also over the
 * descriptors of all processes.
 */
void foreign_listeners_look(struct foreign_listeners *foreign);

/* Returns those of the last look, for the status document: a list of objects, the caller's. */
json_t *foreign_listeners_json(const struct foreign_listeners *foreign);

#endif
