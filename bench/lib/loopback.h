/* SPDX-License-Identifier: MIT */
/* A network of our own, with nothing but loopback, and clients of many addresses in it. */
#ifndef STICKY_BENCH_LOOPBACK_H
#define STICKY_BENCH_LOOPBACK_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define CLIENTS 65536 /* of each family */

enum client_family {
	CLIENT_V4,
	CLIENT_V6,
	CLIENT_MAPPED, /* an IPv4 client of an IPv6 listener */
	CLIENT_FAMILY_COUNT
};

extern const char *const client_family_names[CLIENT_FAMILY_COUNT];

/*
 * Enter a new network namespace, with loopback up and all clients' addresses ours.
 * Returns 0, or -errno; -EPERM without CAP_SYS_ADMIN.
 */
int loopback_enter(void);

/* Where a listener of any port listens for clients of a family, as text for libsticky. */
const char *loopback_listen_text(enum client_family family);

/* The same for bind(2), on the given port. */
socklen_t loopback_listen_address(enum client_family family, uint16_t port,
				  struct sockaddr_storage *ret_address);

/* The address of a client; its port is 0. */
socklen_t loopback_client_address(enum client_family family, uint32_t client,
				  struct sockaddr_storage *ret_address);

/* What clients of a family connect to: on the wire, a v4-mapped one is an IPv4 client. */
socklen_t loopback_target_address(enum client_family family, uint16_t port,
				  struct sockaddr_storage *ret_address);

/*
 * Begin a connection of a client to a port: non-blocking, and reset when it is closed, so
 * that no ports are used up.
 * Returns the descriptor or -errno.
 */
int loopback_connect(enum client_family family, uint32_t client, uint16_t port);

#endif
