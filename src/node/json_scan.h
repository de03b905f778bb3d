/* SPDX-License-Identifier: MIT */
/*
 * Reads some members of a JSON text, and leaves the text as it is. Unlike jansson it accepts all
 * that JSON.stringify() of Node.js writes: half of a surrogate pair ("\ud83d"), integers of any
 * size, and deep nesting. Pure.
 */
#ifndef STICKY_NODE_JSON_SCAN_H
#define STICKY_NODE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_SCAN_DEPTH_MAX 65536 /* a text that is nested more deeply is refused */

enum json_scan_kind {
	JSON_SCAN_ABSENT,
	JSON_SCAN_STRING,
	JSON_SCAN_NUMBER,
	JSON_SCAN_WORD, /* true, false, null */
	JSON_SCAN_ARRAY,
	JSON_SCAN_OBJECT
};

/* A part of the text; valid as long as the text is. */
struct json_part {
	enum json_scan_kind kind;
	const char *text; /* of a string: without its quotes, and with its escapes as they are */
	size_t length;
};

/*
 * Find members in a text, which must be one JSON value.
 *
 * names      members of the object that the value is; plain ASCII
 * ret_parts  `count` values, in the order of the names; if a member comes twice, the last one
 * ret_kind   of the value itself; NULL: not wanted
 *
 * Returns false if the text is no JSON, or nested too deeply. The outputs are then undefined.
 */
bool json_scan(const char *text, size_t length, const char *const *names, size_t count,
	       struct json_part *ret_parts, enum json_scan_kind *ret_kind);

/* Is the part this string? */
bool json_part_is(const struct json_part *part, const char *text);

#endif
