/* SPDX-License-Identifier: MIT */
/*
 * Reads a value in the format of V8's serializer, which Node.js's IPC channel uses with
 * NODE_CHANNEL_SERIALIZATION_MODE=advanced. It yields one token after the other, without recursion
 * and without memory of its own. See src/objects/value-serializer.cc of V8, and
 * lib/internal/child_process/serialization.js of Node.js for the bytes of Buffers. Pure.
 */
#ifndef STICKY_NODE_V8_READER_H
#define STICKY_NODE_V8_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value that is nested more deeply is refused. Node.js itself can write some thousand levels. */
#define V8_DEPTH_MAX 8192

enum v8_kind {
	V8_STRING,
	V8_NUMBER,
	V8_TRUE,
	V8_FALSE,
	V8_NULL,
	V8_UNDEFINED, /* also a hole of an array */
	V8_BUFFER,
	V8_OTHER,      /* a value without members that JSON does not have: a Date, a BigInt, ... */
	V8_OBJECT,     /* names and values in turn, up to V8_END */
	V8_ARRAY,      /* values up to V8_END, perhaps with names and values behind the last one */
	V8_COLLECTION, /* values up to V8_END: of a Map, a Set, an Error, or a sparse array */
	V8_END
};

enum v8_encoding { V8_LATIN1, V8_UTF16, V8_UTF8 };

struct v8_token {
	enum v8_kind kind;
	bool is_name;		   /* this V8_STRING or V8_NUMBER is the name of the next value */
	enum v8_encoding encoding; /* V8_STRING */
	const uint8_t *bytes;	   /* V8_STRING, V8_BUFFER: within the message */
	size_t length;		   /* in bytes */
	double number;		   /* V8_NUMBER */
};

/* An object, array or collection that is being read. */
struct v8_level {
	uint8_t type;	/* its tag */
	bool has_name;	/* a name was read, whose value follows */
	uint32_t left;	/* elements of a dense array that are still to come */
	uint32_t count; /* number of values that were read, without the elements of a dense array */
	uint32_t size;	/* of a dense array */
};

struct v8_reader {
	const uint8_t *at, *end;
	uint32_t objects; /* number of objects read; a reference is to one of them */
	size_t depth;
	bool has_begun;
	struct v8_level levels[V8_DEPTH_MAX];
};

/*
 * Begin to read a message.
 *
 * Returns 0; -EBADMSG if the bytes do not begin as a message; or -ENODATA if the message ends
 * within its head.
 */
int v8_reader_init(struct v8_reader *reader, const void *bytes, size_t length);

/*
 * Read the next token.
 *
 * Returns 1; 0 at the end of the message; -EBADMSG if the message is no value of V8, has an unknown
 * one, or is nested too deeply; or -ENODATA if the message ends within its value.
 */
int v8_reader_next(struct v8_reader *reader, struct v8_token *ret_token);

#endif
