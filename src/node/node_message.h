/* SPDX-License-Identifier: MIT */
/*
 * One message of Node.js's IPC channel, in either of the two formats that the channel may have. The
 * controller reads members of it to decide where the message goes. The bytes stay as they are.
 * Pure.
 */
#ifndef STICKY_NODE_NODE_MESSAGE_H
#define STICKY_NODE_NODE_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "node/json_scan.h"

/* The values of NODE_CHANNEL_SERIALIZATION_MODE. */
enum node_format {
	NODE_FORMAT_JSON,    /* a line of JSON */
	NODE_FORMAT_ADVANCED /* 4 bytes with the length in front of a value of V8's serializer */
};

/* Borrowed bytes, without the end of the line or the 4 bytes in front. */
struct node_message {
	enum node_format format;
	const char *bytes;
	size_t length;
};

#define NODE_MESSAGE_PARTS_MAX 9
#define NODE_MESSAGE_TEXT_MAX  256

/* Buffers for the texts of the parts: V8's strings are not UTF-8. */
struct node_message_texts {
	char texts[NODE_MESSAGE_PARTS_MAX + 1][NODE_MESSAGE_TEXT_MAX];
};

/*
 * Find members in a message, as json_scan() does.
 *
 * names      members of the object that the message is; at most NODE_MESSAGE_PARTS_MAX
 * ret_parts  strings as in JSON.stringify(), with their escapes and without their quotes; a string
 *            of V8 is cut to NODE_MESSAGE_TEXT_MAX bytes. A Map, a Date or the like is
 *            JSON_SCAN_OBJECT
 * ret_whole  the message itself: the text of a string or number
 * ret_texts  buffers of the parts of a message in V8's format
 *
 * Returns false if the message is no value of its format, or nested too deeply. The outputs are
 * then undefined.
 */
bool node_message_scan(const struct node_message *message, const char *const *names, size_t count,
		       struct json_part *ret_parts, struct json_part *ret_whole,
		       struct node_message_texts *ret_texts);

/*
 * Convert a message to a value. Returns NULL if the message is no value of its format, if it is too
 * large for v8_to_json(), or if memory is short.
 */
json_t *node_message_load(const struct node_message *message);

/*
 * Are these bytes a whole message in V8's format, or the beginning of one?
 *
 * Returns 0 (the whole), -ENODATA (the beginning) or -EBADMSG.
 */
int node_message_check_advanced(const char *bytes, size_t length);

#endif
