/* SPDX-License-Identifier: MIT */
/*
 * Converts between V8's serialized values (v8_reader.h) and JSON, as far as the messages of
 * Node.js's cluster module need it. Pure.
 */
#ifndef STICKY_NODE_V8_VALUE_H
#define STICKY_NODE_V8_VALUE_H

#include <jansson.h>
#include <stddef.h>

/* A value that is nested more deeply, or consists of more values, is not converted. */
#define V8_JSON_DEPTH_MAX  64
#define V8_JSON_VALUES_MAX 65536

/*
 * Convert a message to JSON, as JSON.stringify() of Node.js would: members that are undefined are
 * left out, and a Buffer becomes {"type":"Buffer","data":[...]}. Half of a surrogate pair becomes
 * U+FFFD.
 *
 * Returns 0; -EBADMSG if the bytes are no message of V8, or hold something else than objects, dense
 * arrays, strings, numbers, booleans, null, undefined and Buffers; -E2BIG; or -ENOMEM.
 */
int v8_to_json(const void *bytes, size_t length, json_t **ret_value);

/*
 * Convert JSON to a message that each version of Node.js from 12 on reads.
 *
 * head        number of bytes that are left free in front of the message
 * ret_bytes   freed by the caller
 * ret_length  includes the head
 *
 * Returns 0, -E2BIG (nested too deeply) or -ENOMEM.
 */
int v8_from_json(const json_t *value, size_t head, char **ret_bytes, size_t *ret_length);

#endif
