/* SPDX-License-Identifier: MIT */
/*
 * Sets of address ranges, which tell whether an address belongs to one of them. Pure, except for
 * the memory of a set.
 *
 * Both families share one address space: the IPv4 address a.b.c.d is ::ffff:a.b.c.d (RFC 4291,
 * 2.5.5.2), as on a dual-stack socket. Therefore an IPv6 range that contains ::ffff:0:0/96, such as
 * ::/0, contains all of IPv4, too.
 */
#ifndef STICKY_COMMON_PREFIXES_H
#define STICKY_COMMON_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "sticky.h"

/* A set that has been built: sorted, and no range contains another. */
struct prefixes {
	struct sticky_prefix *list;
	size_t count;
};

/*
 * Read a range, "10.0.0.0/8" or "2001:db8::/32", or a single address, "203.0.113.7" or "fe80::1".
 * Addresses are in the form of inet_pton(), without zone, port or brackets. "10.1.2.3/8" means
 * 10.0.0.0/8.
 *
 * Returns 0 or -EINVAL. A range such as "::ffff:10.0.0.0/8" is also refused: it would contain all
 * of IPv4, while its author most likely meant /104. Pure.
 */
int prefix_parse(const char *text, struct sticky_prefix *ret_prefix);

/*
 * Returns true for an address of the public Internet. An address is not public if it belongs to
 * prefixes_default(), to 0.0.0.0/8 or 100.64.0.0/10 (RFC 6890), if it is unspecified or multicast,
 * or of another family. Pure.
 */
bool prefix_is_public(const struct sockaddr *address);

/*
 * Returns the ranges that are trusted by default: loopback, private use (RFC 1918, RFC 4193) and
 * link-local. They must not be freed.
 */
const struct sticky_prefix *prefixes_default(size_t *ret_count);

/*
 * Build a set. Duplicates, and ranges within others, are dropped.
 *
 * list   in any order; copied; bits behind a prefix are ignored; may be NULL with a count of 0
 *
 * Returns 0 or -ENOMEM. Costs one allocation and a sort.
 */
int prefixes_init(struct prefixes *prefixes, const struct sticky_prefix *list, size_t count);

/* Free a set. */
void prefixes_fini(struct prefixes *prefixes);

/*
 * Returns true if the set contains this address. ::ffff:a.b.c.d counts as a.b.c.d; port and zone
 * are ignored. An address of another family is in no set. Costs a binary search. Pure.
 */
bool prefixes_contain(const struct prefixes *prefixes, const struct sockaddr *address);

#endif
