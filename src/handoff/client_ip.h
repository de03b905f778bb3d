/* SPDX-License-Identifier: MIT */
/*
 * Finds the client in the head of an HTTP/1 request that a proxy forwards. The head may have
 * arrived only in part. Pure.
 *
 * Each proxy appends the address from which it got the request. The list is thus read from the
 * right, as long as the proxies that wrote it are trusted. Items that a client itself writes at the
 * left of the list have no effect.
 */
#ifndef STICKY_HANDOFF_CLIENT_IP_H
#define STICKY_HANDOFF_CLIENT_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/prefixes.h"

enum client_ip_result {
	CLIENT_IP_MORE,	    /* the head is not complete: call again with more */
	CLIENT_IP_FOUND,    /* a trusted proxy names the client */
	CLIENT_IP_NONE,	    /* the head is complete, and the peer itself is the client */
	CLIENT_IP_NOT_HTTP, /* this is not an HTTP/1 request: do not wait for more */
	CLIENT_IP_RESULT_COUNT
};

struct client_ip_answer {
	struct sockaddr_storage client; /* AF_INET or AF_INET6, no port, no zone; else AF_UNSPEC */
	bool keeps_alive;		/* more requests may follow, and no upgrade is asked for */
	bool has_header;   /* a line of that name is there, whether it was believed or not */
	size_t head_bytes; /* length of the head, including the empty line */
};

/*
 * Look for the client in the first bytes of a connection.
 *
 * head, length  the bytes that have arrived so far, from the connection's first byte on. They may
 *               end anywhere, and may go on behind the head, where they are not looked at. The
 *               caller limits the length
 * header        name of the field, in any case: "X-Forwarded-For", or any other with such a list;
 *               "Forwarded" is read as RFC 7239 says: its for= parameters
 * trusted       the proxies that are believed
 * peer          the other end of the connection; if it is not trusted, the result of a complete
 *               head is CLIENT_IP_NONE
 *
 * All lines of the name are one list. Its items are read from right to left: trusted addresses are
 * passed, and the first other address is the client. The list may end before that, or an item may
 * be no address ("unknown"; an element of Forwarded without one for=). Then the last address that
 * was passed is the client; without such an address the result is CLIENT_IP_NONE. Items may be
 * "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80", "fe80::1%eth0", or
 * one of these in quotes; ::ffff:1.2.3.4 is 1.2.3.4.
 *
 * Of RFC 9112 this accepts the same as servers do: lines that end in LF alone, empty lines in front
 * of the request (2.2), folded lines (5.2). A name with a space behind it is another name (5.1).
 * HTTP/0.9 and the preface of HTTP/2 are CLIENT_IP_NONE once their line is complete.
 *
 * ret_answer is set only with CLIENT_IP_FOUND and CLIENT_IP_NONE. These results and
 * CLIENT_IP_NOT_HTTP are final: more bytes do not change them. Costs time linear in length, and
 * allocates nothing.
 */
enum client_ip_result client_ip_find(const char *head, size_t length, const char *header,
				     const struct prefixes *trusted, const struct sockaddr *peer,
				     struct client_ip_answer *ret_answer);

#endif
