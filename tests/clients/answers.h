/* SPDX-License-Identifier: MIT */
/* What an answer means (tests/worker/main.c): who served it, and whether that is sticky. Pure. */
#ifndef TESTS_CLIENTS_ANSWERS_H
#define TESTS_CLIENTS_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#define SLOTS_MAX 1024
#define NO_SLOT	  (-1)

struct answer {
	uint32_t slot;	     /* below SLOTS_MAX */
	uint32_t generation; /* of the slot's worker; 0: the answer does not tell */
};

/* What a client has learned from its answers. */
struct client {
	int slot;	     /* of its first answer, or NO_SLOT */
	uint32_t generation; /* the highest of its slot that it met */
};

enum stickiness {
	STICKINESS_KEPT,
	STICKINESS_LOST,     /* another slot than that of the client's first answer */
	STICKINESS_BACKWARD, /* an older life of its slot than one that it had met before */
};

/* Returns false, and leaves *ret_answer alone, where it is no line that names a slot. */
bool answers_parse(const char *text, struct answer *ret_answer);

/*
 * Compare with what the client knows, and let it learn.
 *
 * known_generation  client->generation as it was when the connection began: connections
 *                   that are open at the same time may meet either life
 */
enum stickiness answers_check(struct client *client, uint32_t known_generation,
			      const struct answer *answer);

#endif
