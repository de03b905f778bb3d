/* SPDX-License-Identifier: MIT */
/*
 * Messages that an application sends to its primary, and that no one takes: the primary is
 * stickyctl, which runs no code of the application. Each kind of them is told once. Pure.
 */
#ifndef STICKY_NODE_UNHEARD_H
#define STICKY_NODE_UNHEARD_H

#include <stdbool.h>
#include <stddef.h>

#include "node/node_message.h"

#define UNHEARD_KINDS_MAX 16
#define UNHEARD_KIND_SIZE 64

/* The kinds that are known. Zeroed: none. */
struct unheard {
	char kinds[UNHEARD_KINDS_MAX][UNHEARD_KIND_SIZE];
	size_t count;
	bool is_full;	 /* there are more kinds, which was told */
	bool has_buffer; /* a broadcast held a Buffer, which was told */
};

/*
 * Note a message.
 *
 * ret_kind  what tells it from others, e.g. "topic log4js:message"; without control characters
 * ret_cure  what to do about it; static
 *
 * Returns true the first time that a message of this kind comes; and once more when there are more
 * than UNHEARD_KINDS_MAX kinds, with the kind "more kinds".
 */
bool unheard_note(struct unheard *unheard, const struct node_message *message,
		  char ret_kind[UNHEARD_KIND_SIZE], const char **ret_cure);

#endif
