/* SPDX-License-Identifier: MIT */
/*
 * Reads the header that a proxy sends before the client's first byte: HAProxy's PROXY protocol,
 * version 1 (a line of text) and version 2 (binary). Pure.
 *
 * See doc/proxy-protocol.txt of https://github.com/haproxy/haproxy, sections 2.1 and 2.2.
 */
#ifndef STICKY_HANDOFF_PROXY_HEADER_H
#define STICKY_HANDOFF_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The longest header that is accepted, in bytes. A buffer of this size is always enough for a final
 * result.
 */
#define PROXY_HEADER_MAX 16384

enum proxy_header_result {
	PROXY_HEADER_MORE,  /* the beginning of a header: call again when more bytes have arrived */
	PROXY_HEADER_FOUND, /* a whole header */
	PROXY_HEADER_BAD,   /* no header, whatever may follow */
};

struct proxy_header_answer {
	/*
	 * Client, with the port. ss_family is AF_INET or AF_INET6, or AF_UNSPEC if the header names
	 * no usable address: the connection's peer is the client then. A v4-mapped address is
	 * converted to IPv4.
	 */
	struct sockaddr_storage client;
	/* the address to which the client connected, in the same form */
	struct sockaddr_storage destination;
	size_t length; /* of the header in bytes: the payload begins there */
	int version;   /* 1 or 2 */
};

/*
 * Read the header at the beginning of a connection.
 *
 * bytes    the first bytes of the connection, from the very first one on
 * length   their number; bytes behind the header are not looked at
 * ret      set if the result is FOUND, untouched otherwise
 * ret_why  set if the result is BAD, untouched otherwise: static text, a few words
 *
 * The result is MORE only as long as the bytes can still become a valid header, with one exception:
 * a checksum is compared only when the whole header has arrived. FOUND and BAD are final: more
 * bytes do not change them.
 *
 * Costs time linear in the bytes of the header that have arrived, and allocates nothing. The
 * checksum, by far the largest part, is computed only when the whole header has arrived.
 */
enum proxy_header_result proxy_header_parse(const uint8_t *bytes, size_t length,
					    struct proxy_header_answer *ret, const char **ret_why);

#endif
