/* SPDX-License-Identifier: MIT */
/*
 * Finds the address of the client whose request a proxy forwards, in the head of an HTTP/1 request
 * that may have arrived only in part. Pure.
 *
 * Each proxy appends the address that it got the request from. The list is thus read from the
 * right, as long as the proxies that wrote it are trusted: what a client itself writes at the left
 * of the list has no effect.
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
 * head, length  what has come so far, from the connection's first byte; may end anywhere, may
 *               go on behind the head, which is never looked at; length is the caller's to limit
 * header        name of the field, in any case: "X-Forwarded-For", or any other with such a list;
 *               "Forwarded" is read as RFC 7239 says: its for= parameters
 * trusted       the proxies that are believed
 * peer          who is at the other end of the connection; where it is not trusted, a complete head
 *               is CLIENT_IP_NONE
 *
 * All lines of the name are one list. Its items, from right to left: trusted addresses are passed,
 * the first other address is the client. Where the list ends before that, or an item is no address
 * ("unknown"; an element of Forwarded without one for=), the last one passed is the client, and
 * where there is none, CLIENT_IP_NONE. Items may be "1.2.3.4", "1.2.3.4:80", "2001:db8::1",
 * "[2001:db8::1]", "[2001:db8::1]:80", "fe80::1%eth0", or one of these in quotes;
 * ::ffff:1.2.3.4 is 1.2.3.4.
 *
 * Of RFC 9112 this takes what servers take: lines that end in LF alone, empty lines in front of
 * the request (2.2), folded lines (5.2). A name with a space behind it is another name (5.1).
 * HTTP/0.9 and the preface of HTTP/2 are CLIENT_IP_NONE once their line is complete.
 *
 * ret_answer is set by CLIENT_IP_FOUND and CLIENT_IP_NONE alone; more bytes do not change these,
 * nor CLIENT_IP_NOT_HTTP. Costs time linear in length, and allocates nothing.
 */
enum client_ip_result client_ip_find(const char *head, size_t length, const char *header,
				     const struct prefixes *trusted, const struct sockaddr *peer,
				     struct client_ip_answer *ret_answer);

#endif
