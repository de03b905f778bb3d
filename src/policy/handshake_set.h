/* SPDX-License-Identifier: MIT */
/*
 * The handshakes that a worker waits for when it leaves its slot. The set contains the handshakes
 * of the first look. Each further look removes those that are over. Pure: the numbers come from
 * sockdiag_handshakes().
 */
#ifndef STICKY_POLICY_HANDSHAKE_SET_H
#define STICKY_POLICY_HANDSHAKE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: there was no look yet. */
struct handshake_set {
	uint64_t *left; /* numbers of the handshakes that are left, ascending; NULL: none */
	size_t count;
	bool has_looked;
};

/*
 * Take a look into account.
 *
 * now    the handshakes that there are now, in ascending order; count elements
 *
 * Returns 0, or -ENOMEM: the set is as it was. Costs a copy of `now` at the first look, and one
 * pass over both lists at each further one.
 */
int handshake_set_look(struct handshake_set *set, const uint64_t *now, size_t count);

/* Returns true if there was a look, and all handshakes of the first one are over. */
bool handshake_set_is_over(const struct handshake_set *set);

/* Free the list. The set can be used as a new one. */
void handshake_set_fini(struct handshake_set *set);

#endif
