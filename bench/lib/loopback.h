/* SPDX-License-Identifier: MIT */
/* Enters a network of our own, with only loopback, and connects clients of many addresses in it. */
#ifndef STICKY_BENCH_LOOPBACK_H
#define STICKY_BENCH_LOOPBACK_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define CLIENTS 65536 /* number of clients of each family */

enum client_family {
	CLIENT_V4,
	CLIENT_V6,
	CLIENT_MAPPED, /* an IPv4 client of an IPv6 listener */
	CLIENT_FAMILY_COUNT
};

extern const char *const client_family_names[CLIENT_FAMILY_COUNT];

/*
 * Enter a new network namespace, with loopback up and all clients' addresses ours. Returns 0, or
 * -errno; -EPERM without CAP_SYS_ADMIN.
 */
int loopback_enter(void);

/* Returns the address, as text for libsticky, of a listener at any port for clients of a family. */
const char *loopback_listen_text(enum client_family family);

/* Write the same for bind(2), with the given port. Returns its length. */
socklen_t loopback_listen_address(enum client_family family, uint16_t port,
				  struct sockaddr_storage *ret_address);

/* Write the address of a client, with port 0. Returns its length. */
socklen_t loopback_client_address(enum client_family family, uint32_t client,
				  struct sockaddr_storage *ret_address);

/*
 * Write the address that clients of a family connect to. On the wire, a v4-mapped client is an IPv4
 * client.
 */
socklen_t loopback_target_address(enum client_family family, uint16_t port,
				  struct sockaddr_storage *ret_address);

/*
 * Begin a non-blocking connection of a client to a port. It is reset when it is closed, so that it
 * does not use up a port. Returns the descriptor or -errno.
 */
int loopback_connect(enum client_family family, uint32_t client, uint16_t port);

#endif
