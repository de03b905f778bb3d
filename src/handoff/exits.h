/* SPDX-License-Identifier: MIT */
/*
 * Every connection that the controller accepts leaves it by exactly one exit, and each exit has a
 * counter. Those of connections that are served, answered or abandoned by their client are in
 * delivery.h and dispatcher.h. The others are here.
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
	 * Accepted from a slot's holding socket, to be answered: `answered` of struct
	 * delivery_counters counts them as their exit. Dispatchers have accepted all others.
	 */
	uint64_t accepted_from_holding;
	uint64_t stop;		   /* closed, as the instance stops */
	uint64_t no_memory;	   /* closed, as there was no memory to go on with them */
	uint64_t controller_ended; /* held by a controller that has ended: see exits_balance() */
};

/* Increment a counter that other threads increment, too. */
static inline void counter_add(uint64_t *counter, uint64_t count)
{
	__atomic_fetch_add(counter, count, __ATOMIC_RELAXED);
}

/* Close a connection, and count by which exit it has left the controller. */
static inline void exits_close(int fd, uint64_t *exit)
{
	close(fd);
	counter_add(exit, 1);
}

/*
 * A controller takes the counters of the previous one over. What that one had accepted, and what
 * has neither left it nor was carried over, ended with it: it is counted as `controller_ended`. The
 * counters of a version that did not know this struct may show more exits than connections. These
 * were accepted from holding sockets, and are counted so. Pure.
 *
 * carried  number of connections that this controller goes on with
 */
void exits_balance(const struct traffic *traffic, uint64_t carried, struct exit_counters *exits);

#endif
