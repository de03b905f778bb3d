/* SPDX-License-Identifier: MIT */
/*
 * The same thing twice: a port with several listening sockets, plain ones, or those of
 * libsticky's workers. What accepts from them does not know which.
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
 * program  attached to their group; -1: none, the kernel's own hash
 *
 * Returns 0 or -errno.
 */
int listening_open_plain(enum client_family family, uint32_t count, int program,
			 struct listening **ret_listening);

/* What a group of libsticky's is to be like; 0: as by default. */
struct listening_options {
	uint32_t v4_prefix, v6_prefix; /* of the key */
	bool has_proxies; /* the program looks each client up among trusted proxies; it is none */
};

/* Open a group of libsticky's, all its slots ready. options: or NULL. Returns 0 or -errno. */
int listening_open_sticky(enum client_family family, uint32_t count,
			  const struct listening_options *options,
			  struct listening **ret_listening);

/* NULL is allowed. */
void listening_close(struct listening *listening);

#endif
