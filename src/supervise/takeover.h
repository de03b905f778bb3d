/* SPDX-License-Identifier: MIT */
/*
 * What a controller of the same name left when it died: workers that still serve. They are found
 * by the state file; their listening sockets are fetched from them, and recognised by cookies.
 */
#ifndef STICKY_SUPERVISE_TAKEOVER_H
#define STICKY_SUPERVISE_TAKEOVER_H

#include <stdint.h>

#include "state/state_file.h"
#include "supervise/worker_adopt.h"

/* What was found. All zero: nothing. */
struct takeover {
	struct state_file_content *content;
	struct adopted_worker *workers; /* `count` READY and DRAINING ones that still run */
	uint32_t count;
};

/*
 * Look for the workers of a previous controller. One that is neither READY nor DRAINING is killed:
 * its slot begins anew. Needs CAP_SYS_PTRACE where workers run as another user.
 *
 * path          of the state file
 * ret_takeover  to be freed by takeover_fini(); untouched on an error
 *
 * Returns 0, -ENOENT (no READY worker is left, or none was recorded), or another -errno. On an
 * error the workers that were found are killed.
 */
int takeover_find(const char *path, struct takeover *ret_takeover);

/*
 * Returns a worker's socket of a listener, which stays the takeover's. -1: no worker listens there
 * any more.
 */
int takeover_socket(const struct takeover *takeover, uint32_t listener);

/* Kill the workers that were found, and wait for their ends, a second each at most. */
void takeover_kill(const struct takeover *takeover);

/* Free it, and close the descriptors that were not taken over. All zero is allowed. */
void takeover_fini(struct takeover *takeover);

#endif
