/* SPDX-License-Identifier: MIT */
/* The first bytes of a connection, looked at without being taken: who is the client? */
#ifndef STICKY_HANDOFF_CONNECTION_HEAD_H
#define STICKY_HANDOFF_CONNECTION_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/channel.h"
#include "handoff/dispatch_rules.h"

#define HEAD_SIZE_MAX 65536 /* a head that is longer is not waited for; nginx takes 32 KB of it */

struct connection_head {
	int fd;
	union channel_address peer;
	union channel_address client; /* the peer's until something better is known */
	enum channel_source source;
	bool is_plain;		/* nothing is wanted of it */
	bool must_speak;	/* a trusted peer that owes a PROXY header */
	bool is_sample;		/* nothing is believed: only looked at */
	bool keeps_alive;	/* a notice is due: DISPATCH_KEEPS_ALIVE */
	bool is_untrusted_word; /* the same: DISPATCH_UNTRUSTED_HEADER */
	bool has_line;		/* its first line is there */
	uint32_t seen;		/* bytes that were not enough */
};

enum connection_head_state {
	HEAD_MORE,  /* more has to come */
	HEAD_KNOWN, /* `client` is who it is */
	HEAD_BAD,   /* a PROXY header is missing, or wrong */
	HEAD_GONE   /* the client has gone away without a word */
};

/* A connection that was just accepted. */
void connection_head_begin(struct connection_head *head, int fd, const struct sockaddr *peer,
			   const struct dispatch_rules *rules);

/*
 * Look at what has come. A PROXY header is taken out where the rules say so, to the byte.
 *
 * bytes  HEAD_SIZE_MAX bytes of room
 */
enum connection_head_state connection_head_look(struct connection_head *head,
						const struct dispatch_rules *rules, uint8_t *bytes);

#endif
