/* SPDX-License-Identifier: MIT */
/*
 * Finds the workers that still serve after the previous controller of the same name has died. The
 * state file names them. Their listening sockets are fetched from them, and recognised by cookies.
 */
#ifndef STICKY_SUPERVISE_TAKEOVER_H
#define STICKY_SUPERVISE_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "state/state_file.h"
#include "supervise/worker_adopt.h"

/* The workers that were found. All zero: none. */
struct takeover {
	struct state_file_content *content;
	struct adopted_worker *workers; /* `count` workers in READY or DRAINING that still run */
	uint32_t count;
};

/*
 * Look for the workers of a previous controller. A worker that is neither READY nor DRAINING is
 * killed, and its slot gets a new one. Needs CAP_SYS_PTRACE if workers run as another user.
 *
 * path          of the state file
 * ret_takeover  to be freed by takeover_fini(); untouched on an error
 *
 * Returns 0, -ENOENT (no READY worker is left, or none was recorded), or another -errno. On an
 * error the workers that were found are killed.
 */
int takeover_find(const char *path, struct takeover *ret_takeover);

/*
 * Returns true if the worker of a record of takeover->content was not found: it has ended, or has
 * been killed.
 */
bool takeover_has_ended(const struct takeover *takeover, const struct worker_record *record);

/*
 * Returns a worker's socket of a listener, which stays the takeover's. -1: no worker listens there
 * any more.
 */
int takeover_socket(const struct takeover *takeover, uint32_t listener);

/* Kill the workers that were found, and wait until they have ended, for a second each at most. */
void takeover_kill(const struct takeover *takeover);

/* Free the object, and close the descriptors that were not taken over. All zero is allowed. */
void takeover_fini(struct takeover *takeover);

#endif
