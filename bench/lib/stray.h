/* SPDX-License-Identifier: MIT */
/*
 * Sends stray packets: TCP acknowledgements that belong to no connection. The kernel runs the
 * program to find a socket for them, as for a SYN, and then answers RST. This is the shortest way
 * to run the program: nothing else in between pushes it out of the processor's caches.
 */
#ifndef STICKY_BENCH_STRAY_H
#define STICKY_BENCH_STRAY_H

#include <stdint.h>

#include "loopback.h"

/* Returns a raw socket for clients of a family, or -errno. */
int stray_open(enum client_family family);

/* Send one packet from a client to a port. Returns 0 or -errno. */
int stray_send(int fd, enum client_family family, uint32_t client, uint16_t port);

#endif
