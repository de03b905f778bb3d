/* SPDX-License-Identifier: MIT */
/*
 * The messages between a controller and the keeper. Each is one packet of a SOCK_SEQPACKET channel.
 */
#ifndef STICKY_BIND_KEEPER_WIRE_H
#define STICKY_BIND_KEEPER_WIRE_H

#include <stdint.h>

/*
 * The numbers must keep their meanings, as a controller may be newer than its keeper after an
 * upgrade.
 */
enum keeper_word {
	/* with a descriptor: the controller answers its calls, until it ends */
	KEEPER_KEEP = 1,
	/* the controller answers its calls from now on; the reply is KEEPER_HAS or _LACKS */
	KEEPER_CLAIM = 2,
	KEEPER_LET_GO = 3, /* the controller does not answer its calls any more */
	KEEPER_HAS = 4,	   /* with a descriptor */
	KEEPER_LACKS = 5,
	KEEPER_RECEIVED = 6, /* the controller has received a call, and will answer it */
};

struct keeper_message {
	uint32_t word; /* enum keeper_word */
	int32_t pid;   /* of the worker whose filter it is */
	uint64_t id;   /* of the call that was received */
};

#endif
