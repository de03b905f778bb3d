/* SPDX-License-Identifier: MIT */
/*
 * Connections that this program has accepted, and that the program after an upgrade goes on with.
 * Their descriptors stay open over execve(2). What is known of them is in a file in memory
 * (memfd_create(2)), whose descriptor stays open, too.
 */
#ifndef STICKY_HANDOFF_CARRIED_H
#define STICKY_HANDOFF_CARRIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handoff/delivery.h"

/*
 * The form of the file. Both programs must have the same one, as the next program would not even
 * close descriptors that it does not know of: an upgrade to a program with another one is refused.
 */
#define CARRIED_VERSION 1

struct carried_connection {
	struct delivery_item item; /* AF_UNSPEC as the client: its head has not been read yet */
	/* If it was sent to a worker that has not accepted it yet: which one, by which message. */
	uint32_t slot;
	uint32_t id; /* 0: it was not sent */
	uint64_t generation;
};

struct carried {
	struct carried_connection *items;
	size_t count, room;
};

/* Add a connection. The descriptor remains the caller's. Returns 0 or -ENOMEM. */
int carried_add(struct carried *carried, const struct carried_connection *connection);

/* Has the connection's head been read? */
bool carried_has_client(const struct carried_connection *connection);

/* Write the file. Returns its descriptor, which is close-on-exec, or -errno. */
int carried_write(const struct carried *carried);

/* Let the connections' descriptors stay open over execve(2), or not. Returns 0 or -errno. */
int carried_keep(const struct carried *carried, bool keeps);

/*
 * Read the file, and make the connections' descriptors close-on-exec.
 *
 * fd           of the file; closed by the caller
 * ret_carried  the connections' descriptors are the caller's then
 *
 * Returns 0, -EPROTO (this is no such file), or another -errno.
 */
int carried_read(int fd, struct carried *ret_carried);

/* Free the list. The descriptors stay open. */
void carried_fini(struct carried *carried);

#endif
