/* SPDX-License-Identifier: MIT */
/*
 * Every connection that the controller accepts leaves it by exactly one exit, and each exit has a
 * counter. Counters of connections that are served, answered or abandoned by their client are in
 * delivery.h and dispatcher.h. The other counters are here.
 */
#ifndef STICKY_HANDOFF_EXITS_H
#define STICKY_HANDOFF_EXITS_H

#include <stdint.h>
#include <unistd.h>

#include "handoff/traffic.h"

/*
 * Counters only grow. Any thread may write them, atomically (counter_add()). They lie at the end of
 * the state file, as earlier versions do not know them: see state_file.h.
 */
struct exit_counters {
	/*
	 * Connections accepted from a slot's holding socket, to be answered. Their exit is counted
	 * in `answered` of struct delivery_counters. All other connections were accepted by
	 * dispatchers.
	 */
	uint64_t accepted_from_holding;
	uint64_t stop;	    /* connections closed as the instance stops */
	uint64_t no_memory; /* connections closed as memory was short */
	/* connections held by a controller that has ended: see exits_balance() */
	uint64_t controller_ended;
};

/* Increment a counter that other threads increment, too. */
static inline void counter_add(uint64_t *counter, uint64_t count)
{
	__atomic_fetch_add(counter, count, __ATOMIC_RELAXED);
}

/* Close a connection, and count the exit by which it has left the controller. */
static inline void exits_close(int fd, uint64_t *exit)
{
	close(fd);
	counter_add(exit, 1);
}

/*
 * Balance the counters that this controller takes over from the previous one. A connection that the
 * previous one had accepted, and that has neither left it nor was carried over, ended with it: it
 * is counted as `controller_ended`. The counters of a version that did not know this struct may
 * show more exits than accepted connections. The difference was accepted from holding sockets, and
 * is counted in `accepted_from_holding`. Pure.
 *
 * carried  number of connections with which this controller continues
 */
void exits_balance(const struct traffic *traffic, uint64_t carried, struct exit_counters *exits);

#endif
