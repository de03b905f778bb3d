/* SPDX-License-Identifier: MIT */
/*
 * Sets of address ranges: is this peer one of them? Pure but for the memory of a set.
 *
 * There is one space for both families: an IPv4 address a.b.c.d is ::ffff:a.b.c.d, RFC 4291,
 * 2.5.5.2, as on a dual-stack socket. So a range of IPv6 that holds ::ffff:0:0/96, such as ::/0,
 * holds all of IPv4 too.
 */
#ifndef STICKY_COMMON_PREFIXES_H
#define STICKY_COMMON_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "sticky.h"

/* A set, once built: in order, and no range holds another. */
struct prefixes {
	struct sticky_prefix *list;
	size_t count;
};

/*
 * Read a range: "10.0.0.0/8", "2001:db8::/32", or one address, "203.0.113.7", "fe80::1".
 * Addresses as inet_pton() takes them, and no zone, port or brackets. "10.1.2.3/8" is 10.0.0.0/8.
 *
 * Returns 0 or -EINVAL; so it does for a range like "::ffff:10.0.0.0/8", which would be all of
 * IPv4 and is a mistake for /104. Pure.
 */
int prefix_parse(const char *text, struct sticky_prefix *ret_prefix);

/*
 * Is this an address of the public Internet? It is where it is none of prefixes_default(), not
 * of 0.0.0.0/8 or 100.64.0.0/10 (RFC 6890), unspecified or multicast. Other families are not.
 * Pure.
 */
bool prefix_is_public(const struct sockaddr *address);

/*
 * The ranges that are trusted where nobody says otherwise: loopback, private use (RFC 1918,
 * RFC 4193) and link-local. They stay ours.
 */
const struct sticky_prefix *prefixes_default(size_t *ret_count);

/*
 * Build a set. Duplicates, and ranges within others, are dropped.
 *
 * list   in any order, copied; bits behind a prefix do not count; may be NULL with a count of 0
 *
 * Returns 0 or -ENOMEM. Costs one allocation and a sort.
 */
int prefixes_init(struct prefixes *prefixes, const struct sticky_prefix *list, size_t count);

void prefixes_fini(struct prefixes *prefixes);

/*
 * Is this address in one of the ranges? ::ffff:a.b.c.d counts as a.b.c.d; neither port nor zone
 * count. What is neither IPv4 nor IPv6 is in none. Costs a binary search. Pure.
 */
bool prefixes_contain(const struct prefixes *prefixes, const struct sockaddr *address);

#endif
