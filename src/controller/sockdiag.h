/* SPDX-License-Identifier: MIT */
/* The kernel's list of TCP connections, by sock_diag(7). */
#ifndef STICKY_CONTROLLER_SOCKDIAG_H
#define STICKY_CONTROLLER_SOCKDIAG_H

#include <stddef.h>
#include <stdint.h>

/*
 * The inode numbers of accepted connections at some local ports, ascending.
 *
 * ports       in host order
 * ret_inodes  freed by the caller; NULL where there are none
 *
 * Returns how many, or -errno. Costs a walk over the connections of the network namespace.
 */
long sockdiag_connections(const uint16_t *ports, size_t port_count, uint32_t **ret_inodes);

#endif
