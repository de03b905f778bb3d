/* SPDX-License-Identifier: MIT */
/* The addresses by which this machine can connect to its own listeners. */
#ifndef STICKY_ENGINE_REACH_H
#define STICKY_ENGINE_REACH_H

#include <stdint.h>
#include <sys/socket.h>

#include "engine/listener.h"

#define REACH_MAX 3

/* One way to a listener: both addresses are of this machine and of one family. */
struct reach {
	struct sockaddr_storage from; /* without a port */
	struct sockaddr_storage to;   /* with the listener's port */
	socklen_t length;	      /* of each address */
};

/*
 * Find ways to a listener. A listener that is bound to one address has one way. A listener that is
 * bound to all addresses has several ways, which begin at one address for each family:
 *
 *   without a device  loopback addresses
 *   with a device     addresses of the device. The kernel treats a connection of this machine to
 *                     such an address as one that arrives by the device. A connection to a loopback
 *                     address does not reach the listener. If the device has no address, such a
 *                     connection is returned nevertheless: it shows that nothing is known.
 *
 * Returns their number: at least 1. With a device and all addresses, costs a list of the machine's
 * addresses.
 */
uint32_t reach_find(const struct listener *listener, struct reach ret_ways[REACH_MAX]);

#endif
