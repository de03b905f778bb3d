/* SPDX-License-Identifier: MIT */
/* Finds the listener whose address a bind() asks for. Pure. */
#ifndef STICKY_BIND_BIND_ADDRESS_H
#define STICKY_BIND_BIND_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A TCP address: the parts that decide which connections arrive at it. */
struct bind_address {
	uint8_t host[16]; /* IPv4: the first 4 bytes; all zero: every address of the family */
	bool is_v6;
	bool is_dual;  /* "::" without IPV6_V6ONLY: every address of both families */
	uint32_t zone; /* of an IPv6 address that is local to a link, as sin6_scope_id; else 0 */
	uint16_t port; /* in host order */
};

/* How two addresses overlap. A larger value is a better match. */
enum bind_overlap {
	BIND_OVERLAP_NONE,
	BIND_OVERLAP_WIDER,    /* the worker asks for more than the listener has */
	BIND_OVERLAP_NARROWER, /* the worker asks for a part of what the listener has */
	BIND_OVERLAP_SAME
};

#define BIND_ADDRESS_TEXT_SIZE 80

/*
 * Read an address as bind() gets it.
 *
 * bytes, length  a struct sockaddr, as the worker wrote it: it may hold anything
 * is_v6          the family of the socket
 * only_v6        the socket's IPV6_V6ONLY
 *
 * Returns 0, or -EINVAL: this is no address for a socket of this family.
 */
int bind_address_read(const void *bytes, size_t length, bool is_v6, bool only_v6,
		      struct bind_address *ret_address);

/* Is this every address of its family, or of both? */
bool bind_address_is_every(const struct bind_address *address);

/* Compare the address that a worker asks for with the address of a listener. */
enum bind_overlap bind_address_compare(const struct bind_address *asked,
				       const struct bind_address *listener);

/*
 * Find the listener whose address overlaps best with the address of a bind(). Of equally good ones,
 * take the first that the worker has not bound, else the first.
 *
 * bound  the listeners that the worker has bound, one bit each
 *
 * Returns the index of the listener, or -1: no listener has this address.
 */
int bind_address_find(const struct bind_address *asked, const struct bind_address *listeners,
		      uint32_t count, uint32_t bound);

/* Write the address in the form of -l: "127.0.0.1:80", "[::1]:80", ":80". */
void bind_address_format(const struct bind_address *address, char ret_text[BIND_ADDRESS_TEXT_SIZE]);

#endif
