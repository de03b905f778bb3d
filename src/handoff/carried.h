/* SPDX-License-Identifier: MIT */
/*
 * Connections that this program has accepted, and with which the program after an upgrade
 * continues. Their descriptors stay open over execve(2). All that is known about them is in a file
 * in memory (memfd_create(2)), whose descriptor stays open, too.
 */
#ifndef STICKY_HANDOFF_CARRIED_H
#define STICKY_HANDOFF_CARRIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handoff/delivery.h"

/*
 * The version of the file's format. An upgrade to a program with another version is refused, as the
 * next program would not even close descriptors that it does not know.
 */
#define CARRIED_VERSION 1

struct carried_connection {
	struct delivery_item item; /* client AF_UNSPEC: its head has not been read yet */
	/*
	 * For a connection that was sent to a worker which has not accepted it yet: the worker's
	 * slot and generation, and the number of the message.
	 */
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
 * ret_carried  the caller then owns the connections' descriptors
 *
 * Returns 0, -EPROTO (this is no such file), or another -errno.
 */
int carried_read(int fd, struct carried *ret_carried);

/* Free the list. The descriptors stay open. */
void carried_fini(struct carried *carried);

#endif
