/* SPDX-License-Identifier: MIT */
/*
 * Splits what comes from Node.js's IPC channel into messages: lines of JSON, or, with
 * serialization `advanced`, 4 bytes with a length (big-endian) and so many bytes. Pure.
 */
#ifndef STICKY_NODE_NODE_INPUT_H
#define STICKY_NODE_NODE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/node_message.h"

/* The longest message that is taken, in bytes. */
#define NODE_MESSAGE_MAX    (16u << 20)
#define NODE_MESSAGE_HEADER 4 /* bytes in front of a message, with serialization `advanced` */

enum node_input_result {
	NODE_INPUT_NEEDS_MORE, /* no whole message is there */
	NODE_INPUT_MESSAGE,
	NODE_INPUT_TOO_LONG /* a message is longer than NODE_MESSAGE_MAX: it is skipped */
};

struct node_input {
	enum node_format format;
	char *bytes;
	size_t length, room;
	size_t begin;	  /* of the next message */
	size_t searched;  /* JSON: from `begin` on, so many bytes have no end of a line */
	bool is_skipping; /* JSON: a line that is too long, up to its end */
	uint32_t to_skip; /* advanced: bytes that are left of a message that is too long */
	/* advanced: a previous controller may have read the beginning of what comes first */
	bool is_lost;
};

/* Begin. is_adopted: a previous controller may have read the beginning of a message. */
void node_input_init(struct node_input *input, enum node_format format, bool is_adopted);

/* Free what it holds. */
void node_input_fini(struct node_input *input);

/* Returns where the next `size` bytes may be written, or NULL if there is no memory. */
char *node_input_room(struct node_input *input, size_t size);

/* So many bytes have been written there. */
void node_input_add(struct node_input *input, size_t length);

/* Take the next message out. It is borrowed until node_input_settle(). */
enum node_input_result node_input_next(struct node_input *input, struct node_message *ret_message);

/* All messages have been taken out: keep what is left, the beginning of one. */
void node_input_settle(struct node_input *input);

#endif
