/* SPDX-License-Identifier: MIT */
/*
 * The order of the sockets in an SO_REUSEPORT group, as the kernel keeps it. Pure.
 *
 * A classic program returns an index into an array of the group's sockets. The kernel has no call
 * that reads this array; it is therefore tracked here. A socket joins at the end when it listens.
 * When it does not listen any more, the last one takes its place (reuseport_add_sock() and
 * __reuseport_detach_sock() in the kernel; tests/kernel/test_classic.c shows both).
 */
#ifndef STICKY_ENGINE_SOCKET_ORDER_H
#define STICKY_ENGINE_SOCKET_ORDER_H

#include <stdint.h>

#include "sticky.h"

/* One socket for each slot, and one of the engine. */
#define SOCKET_ORDER_MAX (STICKY_SLOTS_LIMIT + 1)

struct socket_order {
	uint64_t cookie[SOCKET_ORDER_MAX]; /* SO_COOKIE, by index */
	uint32_t count;
};

/*
 * Note that a socket has joined the group. Returns its index, or -ENOSPC. A socket that was in the
 * group before keeps its index.
 */
int socket_order_join(struct socket_order *order, uint64_t cookie);

/* Note that a socket has left the group. Does nothing if it was not in the group. */
void socket_order_leave(struct socket_order *order, uint64_t cookie);

/* Returns a socket's index or -ENOENT. */
int socket_order_find(const struct socket_order *order, uint64_t cookie);

#endif
