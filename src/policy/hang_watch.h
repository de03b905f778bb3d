/* SPDX-License-Identifier: MIT */
/*
 * Does a worker accept the connections that wait for it? Computed from looks at one queue. Pure.
 *
 * The length of a queue alone does not tell: where as many connections come as are accepted, it
 * stays the same. It tells when the worker has accepted something (the queue has become shorter).
 * Where it has not become shorter, the waiting connections are listed, twice: those of the first
 * list that are not in the second one have been accepted. Connections that are passed by the
 * controller need no list, as the worker acknowledges each.
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
	uint64_t waits_since_ms;     /* it has not become shorter since then; 0: it is empty */
	uint64_t unmoved_since_ms;   /* nothing was accepted since then; 0: not known */
	struct handshake_set listed; /* the numbers of the connections that waited then */
	size_t least;		     /* so many of them wait still, where none was accepted */
	uint64_t accepted;	     /* of hang_watch_count(): the counter at the last look */
	bool is_hung;
};

/* What a look has changed. */
enum hang_change { HANG_SAME, HANG_BEGAN, HANG_ENDED };

/*
 * A look at the length of the queue.
 *
 * Returns HANG_ENDED where it was hung and is not any more, else HANG_SAME.
 */
enum hang_change hang_watch_queue(struct hang_watch *watch, uint64_t now_ms, uint32_t queue);

/*
 * Returns true where hang_watch_begin_list() or hang_watch_list() needs a list now. A queue that
 * was empty at the look before needs none: it may be accepted at this moment.
 *
 * timeout_ms  how long it takes until a worker that accepts nothing is hung; 0: it never is
 */
bool hang_watch_wants_list(const struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms);

/* Returns true where the list that is wanted is the first one: that of this worker alone. */
bool hang_watch_is_first_list(const struct hang_watch *watch);

/*
 * Take a list into account. It must have been made after the last hang_watch_queue().
 *
 * cookies  numbers of waiting connections, ascending. The first list: those that probably wait for
 *          this worker. Later ones: those that wait for any worker
 *
 * Returns what has changed. A lack of memory is as if there had been no list.
 */
enum hang_change hang_watch_list(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms,
				 const uint64_t *cookies, size_t count);

/*
 * A look at a queue whose accepted connections are counted: in the place of the functions above.
 *
 * accepted  how many were accepted until now
 */
enum hang_change hang_watch_count(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms,
				  uint32_t queue, uint64_t accepted);

/* Returns for how long a hung worker has accepted nothing, in ms; 0: it is not hung. */
uint64_t hang_watch_age(const struct hang_watch *watch, uint64_t now_ms);

/* Free the list. The watch is as new. */
void hang_watch_fini(struct hang_watch *watch);

#endif
