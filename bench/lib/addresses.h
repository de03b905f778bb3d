/* SPDX-License-Identifier: MIT */
/*
 * Sets of client addresses to hash, the same in every run. Each address is there in two forms: as
 * the kernel has it, and as the text that Node.js gives an application. So neither form has to be
 * made while the time is measured.
 */
#ifndef STICKY_BENCH_ADDRESSES_H
#define STICKY_BENCH_ADDRESSES_H

#include <netinet/in.h>
#include <stdint.h>

#define ADDRESSES_MAX 10000000 /* 10.0.0.0/8 has room for this number */

enum address_set_kind {
	SET_RANDOM,	   /* IPv4 and IPv6 in turn */
	SET_SEQUENTIAL_V4, /* from 10.0.0.0 up */
	SET_SEQUENTIAL_64, /* one address in each /64 from 2001:db8:0:0::1 on */
	SET_ONE_24,	   /* the 256 addresses of 192.0.2.0/24 */
	SET_COUNT
};

extern const char *const address_set_names[SET_COUNT];

struct binary_address {
	uint32_t word[4]; /* network order */
	uint32_t length;  /* bytes: 4 or 16 */
};

struct text_address {
	char text[INET6_ADDRSTRLEN];
	uint8_t length;
};

struct address_set {
	uint32_t count;
	struct binary_address *binary;
	struct text_address *text;
};

/*
 * Make a set.
 *
 * count  up to ADDRESSES_MAX; ignored for SET_ONE_24, which always has 256
 *
 * Returns 0 or -ENOMEM.
 */
int address_set_open(enum address_set_kind kind, uint32_t count, struct address_set *ret_set);

void address_set_close(struct address_set *set);

#endif
