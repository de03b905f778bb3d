/* SPDX-License-Identifier: MIT */
/* Which of two listening addresses a connection comes to. Pure. */
#ifndef STICKY_POLICY_LISTENER_OVERLAP_H
#define STICKY_POLICY_LISTENER_OVERLAP_H

#include <stdbool.h>
#include <stdint.h>

/* A local address on which a socket listens. */
struct listener_place {
	uint16_t port;
	int family;	     /* AF_INET or AF_INET6 */
	uint8_t address[16]; /* network order; IPv4: the first 4 bytes */
};

/*
 * Read a place as sticky_group_listener_address() writes it: "127.0.0.1:3000",
 * "[fe80::1%eth0]:3000". The zone is left out. Returns 0 or -EINVAL.
 */
int listener_place_parse(const char *text, struct listener_place *ret_place);

enum overlap {
	OVERLAP_NONE,
	OVERLAP_SAME,	      /* the same address: one group of sockets */
	OVERLAP_MORE_SPECIFIC /* the foreign one gets the connections to its own address */
};

/*
 * Returns which connections a foreign listener takes from one of ours. An IPv6 wildcard of ours
 * counts as dual-stack.
 */
enum overlap listener_overlap(const struct listener_place *ours,
			      const struct listener_place *foreign);

#endif
