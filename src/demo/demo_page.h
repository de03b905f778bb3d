/* SPDX-License-Identifier: MIT */
/*
 * The page that the demo shows to a client. It tells which worker serves the client, and why. Pure.
 */
#ifndef STICKY_DEMO_DEMO_PAGE_H
#define STICKY_DEMO_DEMO_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct demo_facts {
	uint32_t slot;
	uint32_t slots;
	uint64_t generation;
	pid_t process;
	pid_t thread;
	const char *client; /* the client's IP address, as text */
	const char *key;
	uint32_t bucket;
	uint16_t port;	 /* the port that the demo listens on */
	uint64_t served; /* requests that this worker has answered, including this one */
};

/*
 * Render the page.
 *
 * as_json  as JSON, else as HTML
 *
 * Returns the text, which the caller frees, or NULL if memory is short.
 */
char *demo_page(const struct demo_facts *facts, bool as_json);

/* Does this Accept header ask for JSON? NULL: the request has no such header. */
bool demo_wants_json(const char *accept);

#endif
