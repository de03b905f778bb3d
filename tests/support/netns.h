/* SPDX-License-Identifier: MIT */
/* A network of the test's own, so that it needs no port of the host and leaves nothing. */
#ifndef TESTS_SUPPORT_NETNS_H
#define TESTS_SUPPORT_NETNS_H

#include <stdbool.h>

/*
 * Move this process into a network namespace of its own, with lo up, in which any
 * address of 127.0.0.0/8 and of 2001:db8::/32 can be a client's and a server's.
 *
 * Returns NULL, or why tests on real sockets can't run here: no privilege for it, no
 * CAP_BPF, a kernel before 5.14. What the library says is not asked: a library that
 * wrongly says -EPERM must fail its tests, not skip them.
 */
const char *netns_enter(void);

/* Take the IPv6 addresses away, as net.ipv6.conf.all.disable_ipv6 does. Returns 0 or -1. */
int netns_disable_v6(bool disable);

/* For main(): say that the whole file is skipped. Returns the exit status for it. */
int netns_skip(const char *reason);

#endif
