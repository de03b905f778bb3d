/* SPDX-License-Identifier: MIT */
/* The first bytes of a connection, which name the client. They are peeked at (MSG_PEEK). */
#ifndef STICKY_HANDOFF_CONNECTION_HEAD_H
#define STICKY_HANDOFF_CONNECTION_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/channel.h"
#include "handoff/dispatch_rules.h"

#define CONNECTION_HEAD_SIZE_MAX 65536 /* longest head that is read; nginx accepts 32 KB */

struct connection_head {
	int fd;
	union channel_address peer;
	union channel_address client; /* the peer, until the head names another address */
	enum channel_source source;
	bool is_plain;		/* the peer is the client: the head is not read */
	bool must_speak;	/* a trusted peer, which must send a PROXY header */
	bool is_sample;		/* an untrusted peer: its head is read, and not believed */
	bool keeps_alive;	/* DISPATCH_KEEPS_ALIVE is to be reported */
	bool is_untrusted_word; /* DISPATCH_UNTRUSTED_HEADER is to be reported */
	bool has_line;		/* the first line is complete */
	bool is_too_long;	/* DISPATCH_HEAD_TOO_LONG is to be reported */
	uint32_t seen;		/* number of bytes at the last look, which were not enough */
	const char *why;	/* CONNECTION_HEAD_BAD: what is wrong; static text, a few words */
};

enum connection_head_state {
	CONNECTION_HEAD_MORE,  /* the head is not complete yet */
	CONNECTION_HEAD_KNOWN, /* `client` is final */
	CONNECTION_HEAD_BAD,   /* the PROXY header is missing or wrong */
	CONNECTION_HEAD_GONE   /* the client has closed without sending anything */
};

/* Begin with a connection that was just accepted. */
void connection_head_begin(struct connection_head *head, int fd, const struct sockaddr *peer,
			   const struct dispatch_rules *rules);

/*
 * Look at the bytes that have arrived. If the rules say that the worker does not get the PROXY
 * header, exactly the bytes of the header are read from the socket.
 *
 * bytes  a buffer of CONNECTION_HEAD_SIZE_MAX bytes
 */
enum connection_head_state connection_head_look(struct connection_head *head,
						const struct dispatch_rules *rules, uint8_t *bytes);

#endif
