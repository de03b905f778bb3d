/* SPDX-License-Identifier: MIT */
/*
 * Finds out whether a worker accepts the connections that wait for it, from looks at one queue.
 * Pure.
 *
 * A queue that has become shorter shows that the worker accepts. A queue that has not become
 * shorter shows nothing: as many connections may arrive as are accepted. Then the waiting
 * connections are listed twice. A connection of the first list that is missing in the second has
 * been accepted. Connections that are passed by the controller need no list, as the worker
 * acknowledges each.
 */
#ifndef STICKY_POLICY_HANG_WATCH_H
#define STICKY_POLICY_HANG_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/handshake_set.h"

/* One queue of one worker. All zero: no look yet. hang_watch_fini() frees it. */
struct hang_watch {
	uint32_t queue;		     /* its length at the last look */
	uint64_t waits_since_ms;     /* since when it has not become shorter; 0: it is empty */
	uint64_t unmoved_since_ms;   /* since when nothing was accepted; 0: not known */
	struct handshake_set listed; /* connections that have waited since that time */
	size_t least;		     /* so many of these still wait if none was accepted */
	uint64_t accepted;	     /* for hang_watch_count(): the counter at the last look */
	bool is_hung;
};

/* The change that a look has shown. */
enum hang_change { HANG_SAME, HANG_BEGAN, HANG_ENDED };

/*
 * Take the length of the queue into account.
 *
 * Returns HANG_ENDED if the worker was hung and is not any more, else HANG_SAME.
 */
enum hang_change hang_watch_queue(struct hang_watch *watch, uint64_t now_ms, uint32_t queue);

/*
 * Returns true if hang_watch_list() needs a list now. It needs none if the queue was empty at the
 * previous look, or has just become shorter: its connections may be accepted at this moment.
 *
 * timeout_ms  how long it takes until a worker that accepts nothing is hung; 0: it never is
 */
bool hang_watch_wants_list(const struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms);

/*
 * Returns true if the list that is needed is the first one, which contains only connections that
 * wait for this worker.
 */
bool hang_watch_is_first_list(const struct hang_watch *watch);

/*
 * Take a list into account. It must have been made after the last hang_watch_queue().
 *
 * cookies  numbers of waiting connections, ascending. In the first list: the connections that
 *          probably wait for this worker. In later lists: the connections that wait for any worker
 *
 * Returns what has changed. If memory is short, the list is ignored.
 */
enum hang_change hang_watch_list(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms,
				 const uint64_t *cookies, size_t count);

/*
 * Take the length of a queue into account whose accepted connections are counted. For such a queue,
 * this replaces the functions above.
 *
 * accepted  number of connections that were accepted until now
 *
 * Returns what has changed.
 */
enum hang_change hang_watch_count(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms,
				  uint32_t queue, uint64_t accepted);

/* Returns for how long a hung worker has accepted nothing, in ms; 0: it is not hung. */
uint64_t hang_watch_age(const struct hang_watch *watch, uint64_t now_ms);

/* Free the list. The watch can be used as a new one. */
void hang_watch_fini(struct hang_watch *watch);

#endif
