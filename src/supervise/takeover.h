/* SPDX-License-Identifier: MIT */
/*
 * What a controller of the same name left when it died: workers that serve on, found by the
 * slots file; their sockets, fetched from them and told by their cookies; the pinned maps.
 */
#ifndef STICKY_SUPERVISE_TAKEOVER_H
#define STICKY_SUPERVISE_TAKEOVER_H

#include <stdint.h>

#include "state/state_file.h"
#include "supervise/worker_adopt.h"

struct takeover {
	struct state_file_content *content;
	struct adopted_worker *workers; /* READY and DRAINING ones that still live */
	uint32_t count;
};

/*
 * Look for them. Needs CAP_SYS_PTRACE where workers run as somebody else. What is neither
 * READY nor DRAINING is killed: its slot begins anew.
 *
 * path  of the slots file
 *
 * Returns 0, -ENOENT (nobody READY is left, or nothing was noted), or another -errno.
 */
int takeover_find(const char *path, struct takeover *ret_takeover);

/* Listening sockets of one live worker, one for each listener. NULL: none. */
const int *takeover_sockets(const struct takeover *takeover);

/* Kill all that was found: it can't be taken over. */
void takeover_kill(const struct takeover *takeover);

/* Descriptors that nobody took are closed. */
void takeover_fini(struct takeover *takeover);

#endif
