/* SPDX-License-Identifier: MIT */
/*
 * Sets of client addresses to hash, the same in every run. Each address is there in both
 * forms: as the kernel has it, and as the text that Node.js hands to an application. So
 * neither has to be made while the time is taken.
 */
#ifndef STICKY_BENCH_ADDRESSES_H
#define STICKY_BENCH_ADDRESSES_H

#include <netinet/in.h>
#include <stdint.h>

#define ADDRESSES_MAX 10000000 /* 10.0.0.0/8 has room for so many */

enum address_set_kind {
	SET_RANDOM,	   /* IPv4 and IPv6 in turn */
	SET_SEQUENTIAL_V4, /* from 10.0.0.0 up */
	SET_SEQUENTIAL_64, /* one customer of a provider after the other: 2001:db8:0:0::1, ... */
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
 * count  up to ADDRESSES_MAX; SET_ONE_24 has 256 whatever is said here
 *
 * Returns 0 or -ENOMEM.
 */
int address_set_open(enum address_set_kind kind, uint32_t count, struct address_set *ret_set);

void address_set_close(struct address_set *set);

#endif
