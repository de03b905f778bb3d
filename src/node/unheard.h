/* SPDX-License-Identifier: MIT */
/*
 * Messages that an application sends to its primary, and that have no receiver: the primary is
 * stickyctl, which runs no code of the application. Each kind of message is logged once. Pure.
 */
#ifndef STICKY_NODE_UNHEARD_H
#define STICKY_NODE_UNHEARD_H

#include <stdbool.h>
#include <stddef.h>

#include "node/node_message.h"

#define UNHEARD_KINDS_MAX 16
#define UNHEARD_KIND_SIZE 64

/* The kinds of messages that were noted. All zero: none. */
struct unheard {
	char kinds[UNHEARD_KINDS_MAX][UNHEARD_KIND_SIZE];
	size_t count;
	bool is_full;	 /* there are more kinds, and this was logged */
	bool has_buffer; /* a broadcast held a Buffer, and this was logged */
};

/*
 * Note a message.
 *
 * ret_kind  tells the message from others, e.g. "topic log4js:message"; without control characters
 * ret_cure  what the user can do about it; static
 *
 * Returns true for the first message of a kind. When there are more than UNHEARD_KINDS_MAX kinds,
 * returns true once more, with the kind "more kinds".
 */
bool unheard_note(struct unheard *unheard, const struct node_message *message,
		  char ret_kind[UNHEARD_KIND_SIZE], const char **ret_cure);

#endif
