/* SPDX-License-Identifier: MIT */
/* A network namespace for the test: it needs no port of the host, and leaves nothing behind. */
#ifndef TESTS_SUPPORT_NETNS_H
#define TESTS_SUPPORT_NETNS_H

#include <stdbool.h>

/*
 * Move this process into a network namespace of its own, with lo up. Any address of 127.0.0.0/8 and
 * of 2001:db8::/32 can be that of a client or a server there.
 *
 * Returns NULL, or why tests on real sockets can't run here: no privilege for a namespace, no
 * CAP_BPF, or a kernel before 5.14. The library is not used for this check: if it wrongly returned
 * -EPERM, its tests must fail and not be skipped.
 */
const char *netns_enter(void);

/* The same for tests of the engines that need neither CAP_BPF nor Linux 5.14. */
const char *netns_enter_without_bpf(void);

/* Is this Linux 5.14 or later? With these the kernel engine can be opened. */
bool netns_has_kernel_engine(void);

/*
 * Remove the IPv6 addresses, or bring them back: net.ipv6.conf.all.disable_ipv6. Returns 0 or -1.
 */
int netns_disable_v6(bool disable);

/*
 * Make another network namespace, in which clients can be that come in by a device of their own. A
 * pair of devices joins it to this one: "near" here with 10.9.0.1, "far" there with 10.9.0.2.
 *
 * Returns a descriptor for netns_switch(), which is the caller's, or -1: there is no ip(8), or no
 * veth(4).
 */
int netns_open_peer(void);

/*
 * Move this thread into another network namespace. Sockets stay in the one in which they were made.
 * Returns a descriptor of the previous one, which is the caller's, or -1.
 */
int netns_switch(int peer);

/* For main(): print that the whole file is skipped, and why. Returns the exit status for that. */
int netns_skip(const char *reason);

#endif
