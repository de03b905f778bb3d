/* SPDX-License-Identifier: MIT */
/* Clients with addresses of their own, and the other ends of their connections. */
#ifndef TESTS_SUPPORT_CLIENTS_H
#define TESTS_SUPPORT_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IP address as text, with a port (host order). */
struct sockaddr_storage address_of(const char *ip, uint16_t port);

socklen_t address_length(const struct sockaddr_storage *address);

/*
 * The client of a number, below 65536 * 250: 127.1.0.0 upward, or one /64 after the
 * other from 2001:db8:0:0:: on.
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
 * the server has answered, and the last packet of the handshake may be handled later than that, by
 * ksoftirqd. Sends a byte: what has been acknowledged is behind the handshake.
 *
 * Returns 0 or -errno: -ETIMEDOUT, or what became of the connection.
 */
int client_settle(int fd);

/* Accept, with a deadline. Returns a blocking socket or -errno. */
int client_accept(int listening);

/*
 * A listening socket that no group knows, in whose place a test shows the naive way.
 *
 * address  with port 0 a free one is taken, and filled in
 * option   SO_REUSEADDR, SO_REUSEPORT, or 0: none
 *
 * Returns the descriptor or -errno.
 */
int plain_listen(struct sockaddr_storage *address, int option);

/* Send a number. Returns 0 or -errno. */
int number_send(int fd, uint32_t number);

/* Receive one. Returns 0 or -errno: -ECONNRESET, -ETIMEDOUT, -ENODATA where the peer ended. */
int number_receive(int fd, uint32_t *ret_number);

/* Are these the two ends of one connection? */
bool is_peer(int accepted, int client);

/* Close them; -1 is allowed. */
void close_all(int *fds, size_t count);

#endif
