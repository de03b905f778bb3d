/* SPDX-License-Identifier: MIT */
/* Clients with addresses of their own, and the server's end of each connection. */
#ifndef TESTS_SUPPORT_CLIENTS_H
#define TESTS_SUPPORT_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Make a socket address from an IP address as text and a port in host order. */
struct sockaddr_storage address_of(const char *ip, uint16_t port);

socklen_t address_length(const struct sockaddr_storage *address);

/*
 * The address of client `number`, which is below 65536 * 250. IPv4 addresses count up from
 * 127.1.0.0; IPv6 clients have one /64 each, from 2001:db8:0:0:: on.
 */
struct sockaddr_storage client_address(sa_family_t family, uint32_t number);

/*
 * Connect from an address.
 *
 * source  NULL: the kernel's choice
 *
 * Returns a blocking socket, or -errno: -ECONNREFUSED, -ETIMEDOUT.
 */
int client_connect(const struct sockaddr_storage *source, const struct sockaddr_storage *server);

/*
 * Wait until a connection is in the accept queue of its listening socket. connect(2) returns when
 * the server has answered, but ksoftirqd may handle the last packet of the handshake later. The
 * function sends a byte: when the byte is acknowledged, the handshake is over.
 *
 * Returns 0, or -errno: -ETIMEDOUT, or an error of the connection.
 */
int client_settle(int fd);

/* Accept, with a deadline. Returns a blocking socket or -errno. */
int client_accept(int listening);

/*
 * Open a listening socket that belongs to no group. Tests use it to show what happens without the
 * library.
 *
 * address  if its port is 0, a free one is taken and filled in
 * option   SO_REUSEADDR, SO_REUSEPORT, or 0: none
 *
 * Returns the descriptor or -errno.
 */
int plain_listen(struct sockaddr_storage *address, int option);

/* Send a number. Returns 0 or -errno. */
int number_send(int fd, uint32_t number);

/*
 * Receive a number. Returns 0 or -errno: -ECONNRESET, -ETIMEDOUT, or -ENODATA if the peer has
 * closed.
 */
int number_receive(int fd, uint32_t *ret_number);

/* Are these the two ends of one connection? */
bool is_peer(int accepted, int client);

/* Close these descriptors; -1 is allowed. */
void close_all(int *fds, size_t count);

#endif
