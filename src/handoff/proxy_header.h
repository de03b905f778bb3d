/* SPDX-License-Identifier: MIT */
/*
 * The header that a proxy sends before the client's first byte: HAProxy's PROXY protocol, version
 * 1 (a line of text) and version 2 (binary). Pure.
 *
 * See doc/proxy-protocol.txt of https://github.com/haproxy/haproxy, sections 2.1 and 2.2.
 */
#ifndef STICKY_HANDOFF_PROXY_HEADER_H
#define STICKY_HANDOFF_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The longest header that is taken, in bytes. A buffer of this size always brings an answer. */
#define PROXY_HEADER_MAX 16384

enum proxy_header_result {
	PROXY_HEADER_MORE,  /* the beginning of a header: look again when more is there */
	PROXY_HEADER_FOUND, /* a whole header */
	PROXY_HEADER_BAD,   /* no header, whatever may follow */
};

struct proxy_header_answer {
	/*
	 * With the port. ss_family is AF_INET or AF_INET6; or AF_UNSPEC where the header names no
	 * usable address: the connection's peer is the client then. A v4-mapped address becomes the
	 * IPv4 address that it stands for.
	 */
	struct sockaddr_storage client;
	struct sockaddr_storage destination; /* where the client connected to; likewise */
	size_t length;			     /* of the header: what comes before the payload */
	int version;			     /* 1 or 2 */
};

/*
 * Read the header at the beginning of a connection.
 *
 * bytes    the first bytes of the connection, from the very first one on; they stay in the socket
 * length   how many are there; anything behind the header is not looked at
 * ret      set where the answer is FOUND, untouched otherwise
 * ret_why  set where the answer is BAD, untouched otherwise: static text, a few words
 *
 * MORE comes back only as long as what is there can still become a header, with one exception:
 * a checksum is compared once the whole header has come. FOUND and BAD are final: they stay as
 * they are whatever is appended.
 *
 * Costs time linear in what is there of the header, and allocates nothing. The checksum, by far
 * the largest part, is computed only once the whole header is there.
 */
enum proxy_header_result proxy_header_parse(const uint8_t *bytes, size_t length,
					    struct proxy_header_answer *ret, const char **ret_why);

#endif
