/* SPDX-License-Identifier: MIT */
/*
 * Parses the answers of tests/worker/main.c: which worker answered, and whether that is sticky.
 * Pure.
 */
#ifndef TESTS_CLIENTS_ANSWERS_H
#define TESTS_CLIENTS_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#define SLOTS_MAX 1024
#define NO_SLOT	  (-1)

struct answer {
	uint32_t slot;	     /* below SLOTS_MAX */
	uint32_t generation; /* generation of the slot's worker; 0: the answer does not name it */
};

/* Data about a client, taken from its answers. */
struct client {
	int slot;	     /* slot of its first answer, or NO_SLOT */
	uint32_t generation; /* the highest generation of its slot that has answered */
};

enum stickiness {
	STICKINESS_KEPT,
	STICKINESS_LOST,     /* answered by another slot than the client's first answer */
	STICKINESS_BACKWARD, /* answered by an older worker of its slot than an earlier answer */
};

/* Returns false, and leaves *ret_answer alone, if the text is not a line that names a slot. */
bool answers_parse(const char *text, struct answer *ret_answer);

/*
 * Compare an answer with what is known of the client, and note the answer.
 *
 * known_generation  client->generation when the connection began
 *
 * Connections that are open at the same time may be answered by an older or a newer worker.
 */
enum stickiness answers_check(struct client *client, uint32_t known_generation,
			      const struct answer *answer);

#endif
