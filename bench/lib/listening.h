/* SPDX-License-Identifier: MIT */
/*
 * Opens a port with several listening sockets: plain ones, or those of libsticky's workers. The
 * code that accepts from them is the same for both.
 */
#ifndef STICKY_BENCH_LISTENING_H
#define STICKY_BENCH_LISTENING_H

#include <stdbool.h>
#include <stdint.h>

#include "loopback.h"
#include "sticky.h"

struct listening {
	uint16_t port;
	uint32_t count;
	int fd[STICKY_SLOTS_LIMIT]; /* non-blocking; -1: not open */
	struct sticky_group *group; /* NULL: plain SO_REUSEPORT sockets */
	struct sticky_worker *workers[STICKY_SLOTS_LIMIT];
};

/*
 * Open `count` plain sockets on a free port.
 *
 * program  attached to their group; -1: the kernel's own hash is used
 *
 * Returns 0 or -errno.
 */
int listening_open_plain(enum client_family family, uint32_t count, int program,
			 struct listening **ret_listening);

/* Options of a group of libsticky's. 0 means the default. */
struct listening_options {
	uint32_t v4_prefix, v6_prefix; /* prefixes of the key */
	bool has_proxies; /* the program looks for each client among trusted proxies, in vain */
};

/* Open a group of libsticky's, all its slots ready. `options` may be NULL. Returns 0 or -errno. */
int listening_open_sticky(enum client_family family, uint32_t count,
			  const struct listening_options *options,
			  struct listening **ret_listening);

/* Close all sockets. NULL is allowed. */
void listening_close(struct listening *listening);

#endif
