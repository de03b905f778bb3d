/* SPDX-License-Identifier: MIT */
/*
 * Stray packets: TCP acknowledgements that belong to no connection. The kernel asks the
 * program which socket they are for, as with a SYN, and then answers RST: the shortest
 * way to a run of the program, with nothing else in between that would push it out of
 * the processor's caches.
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
