/* SPDX-License-Identifier: MIT */
/*
 * The same thing twice: a port with several listening sockets, plain ones, or those of
 * libsticky's workers. What accepts from them does not know which.
 */
#ifndef STICKY_BENCH_LISTENING_H
#define STICKY_BENCH_LISTENING_H

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
 * program  attached to their group; -1: none, the kernel's own hash
 *
 * Returns 0 or -errno.
 */
int listening_open_plain(enum client_family family, uint32_t count, int program,
			 struct listening **ret_listening);

/* Open a group of libsticky's, all its slots ready. Returns 0 or -errno. */
int listening_open_sticky(enum client_family family, uint32_t count,
			  struct listening **ret_listening);

/* NULL is allowed. */
void listening_close(struct listening *listening);

#endif
