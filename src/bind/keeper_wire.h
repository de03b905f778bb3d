/* SPDX-License-Identifier: MIT */
/* The messages between a controller and the keeper: one each of a SOCK_SEQPACKET channel. */
#ifndef STICKY_BIND_KEEPER_WIRE_H
#define STICKY_BIND_KEEPER_WIRE_H

#include <stdint.h>

/* An upgrade may bring a controller that is newer than the keeper: a number keeps its meaning. */
enum keeper_word {
	KEEPER_KEEP = 1, /* with a descriptor: the controller answers it, until it ends */
	KEEPER_CLAIM =
		2, /* the controller answers it from now on; answered by KEEPER_HAS, _LACKS */
	KEEPER_LET_GO = 3, /* the controller does not answer it any more */
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
