/* SPDX-License-Identifier: MIT */
/* The addresses of clients. Each client has one of its own, computed from its index. Pure. */
#ifndef TESTS_CLIENTS_SOURCES_H
#define TESTS_CLIENTS_SOURCES_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* number of addresses in 127/8 that clients may use, from 127.1.0.1 on */
#define SOURCES_MAX 0x00fe0000u

enum family {
	FAMILY_4,
	FAMILY_6,
	FAMILY_MAPPED, /* IPv4 clients with IPv6 sockets */
	FAMILY_COUNT
};

/* Write an IPv4 address as ::ffff:a.b.c.d. Address and port are in network order. */
void sources_map_v4(uint32_t address, uint16_t port, struct sockaddr_in6 *ret_address);

/*
 * Compute an address: 127.1.0.1 plus the index, or 2001:db8:HHHH:LLLL::1, so that each client has a
 * /64. Returns the address's length. IPv4 addresses are counted modulo 2^32: every address has an
 * index, which sources_index() returns.
 */
socklen_t sources_address(enum family family, uint32_t index, struct sockaddr_storage *ret_address);

/*
 * Write the address as text. A v4-mapped address is written as IPv4, so that maps can be compared.
 */
void sources_text(enum family family, uint32_t index, char ret_text[INET6_ADDRSTRLEN]);

/*
 * The reverse of sources_text(). For any other IPv4 address the result is an index that no client
 * has, SOURCES_MAX or more. For another IPv6 address it is the index of the client in the same /64.
 */
uint32_t sources_index(enum family family, const char *text);

#endif
