/* SPDX-License-Identifier: MIT */
/*
 * Splits the bytes from Node.js's IPC channel into messages. These are lines of JSON; with
 * serialization `advanced` each message has its length in front, in 4 bytes (big-endian). Pure.
 */
#ifndef STICKY_NODE_NODE_INPUT_H
#define STICKY_NODE_NODE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/node_message.h"

/* The longest message that is accepted, in bytes. */
#define NODE_MESSAGE_MAX    (16u << 20)
#define NODE_MESSAGE_HEADER 4 /* bytes in front of a message, with serialization `advanced` */

enum node_input_result {
	NODE_INPUT_NEEDS_MORE, /* the next message is not complete yet */
	NODE_INPUT_MESSAGE,
	NODE_INPUT_TOO_LONG /* a message is longer than NODE_MESSAGE_MAX: it is skipped */
};

struct node_input {
	enum node_format format;
	char *bytes;
	size_t length, room;
	size_t begin; /* where the next message begins */
	/* JSON: number of bytes from `begin` on that are known to hold no end of a line */
	size_t searched;
	bool is_skipping; /* JSON: a line that is too long is being skipped */
	uint32_t to_skip; /* advanced: bytes still to be skipped of a message that is too long */
	/*
	 * advanced: the first bytes may be the rest of a message that a previous controller began
	 * to read
	 */
	bool is_lost;
};

/*
 * Begin without bytes. is_adopted: a previous controller may have read the beginning of a message.
 */
void node_input_init(struct node_input *input, enum node_format format, bool is_adopted);

/* Free the bytes. */
void node_input_fini(struct node_input *input);

/* Returns the place for the next `size` bytes, or NULL if memory is short. */
char *node_input_room(struct node_input *input, size_t size);

/* Add the bytes that have been written to that place. */
void node_input_add(struct node_input *input, size_t length);

/* Take the next message out. The message is borrowed until node_input_settle(). */
enum node_input_result node_input_next(struct node_input *input, struct node_message *ret_message);

/* Free the room of the messages that were taken out. Call this when no whole message is left. */
void node_input_settle(struct node_input *input);

#endif
