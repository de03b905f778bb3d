/* SPDX-License-Identifier: MIT */
/* What the demo shows a client: where it was sent, and why. Pure. */
#ifndef STICKY_CLI_DEMO_PAGE_H
#define STICKY_CLI_DEMO_PAGE_H

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
	const char *client; /* its address */
	const char *key;
	uint32_t bucket;
	uint16_t port;	 /* where the demo listens */
	uint64_t served; /* requests that this worker has answered, this one included */
};

/*
 * Render the page.
 *
 * as_json  else HTML
 *
 * Returns the text, freed by the caller, or NULL.
 */
char *demo_page(const struct demo_facts *facts, bool as_json);

/* Does an Accept header ask for JSON? NULL: there is none. */
bool demo_wants_json(const char *accept);

#endif
