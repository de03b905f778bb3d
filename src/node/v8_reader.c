// SPDX-License-Identifier: MIT
#include "node/v8_reader.h"

#include <errno.h>
#include <string.h>

#define VERSION_TAG 0xff
/* Node.js 12 to 24 write 13 to 15. Version 13 brought the tag of Buffers. */
#define VERSION_MIN 13

/* The numbers that Node.js writes behind the tag of a host object. */
#define HOST_VIEW   0 /* a Buffer or a typed array */
#define HOST_OBJECT 1 /* any other host object, as a plain object */
#define VIEW_BUFFER 10

/* ---- Bytes ----------------------------------------------------------------------------------- */

static size_t left_of(const struct v8_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

static int read_byte(struct v8_reader *reader, uint8_t *ret_byte)
{
	if (reader->at == reader->end)
		return -ENODATA;
	*ret_byte = *reader->at++;
	return 0;
}

/* Read a number: seven bits in each byte, the lowest ones first. */
static int read_varint(struct v8_reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte = 0x80;

	while (byte & 0x80) {
		int error = read_byte(reader, &byte);

		if (error)
			return error;
		if (shift > 63)
			return -EBADMSG;
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	}
	*ret_value = value;
	return 0;
}

static int read_varint32(struct v8_reader *reader, uint32_t *ret_value)
{
	uint64_t value;
	int error = read_varint(reader, &value);

	if (error)
		return error;
	if (value > UINT32_MAX)
		return -EBADMSG;
	*ret_value = (uint32_t)value;
	return 0;
}

/*
 * Read a tag, and skip padding. Padding goes before the tag of a UTF-16 string, so that its text
 * has an even address.
 */
static int read_tag(struct v8_reader *reader, uint8_t *ret_tag)
{
	int error;

	do
		error = read_byte(reader, ret_tag);
	while (!error && !*ret_tag);
	return error;
}

static int read_bytes(struct v8_reader *reader, struct v8_token *token)
{
	uint64_t length;
	int error = read_varint(reader, &length);

	if (error)
		return error;
	if (length > left_of(reader))
		return -ENODATA;
	token->bytes = reader->at;
	token->length = (size_t)length;
	reader->at += length;
	return 0;
}

/* ---- Values without members ---------------------------------------------------------------- */

static int read_double(struct v8_reader *reader, struct v8_token *token)
{
	if (left_of(reader) < sizeof(token->number))
		return -ENODATA;
	memcpy(&token->number, reader->at, sizeof(token->number)); /* in the host's byte order */
	reader->at += sizeof(token->number);
	return 0;
}

static int read_integer(struct v8_reader *reader, bool is_signed, struct v8_token *token)
{
	uint32_t value = 0;
	int error = read_varint32(reader, &value);

	token->number = is_signed ? (double)((int64_t)(value >> 1) ^ -(int64_t)(value & 1)) : value;
	return error;
}

static int read_text(struct v8_reader *reader, uint8_t tag, struct v8_token *token)
{
	int error;

	token->kind = V8_STRING;
	token->encoding = tag == '"' ? V8_LATIN1 : tag == 'c' ? V8_UTF16 : V8_UTF8;
	error = read_bytes(reader, token);
	return !error && tag == 'c' && token->length % 2 ? -EBADMSG : error;
}

static bool is_text(uint8_t tag)
{
	return tag == '"' || tag == 'c' || tag == 'S';
}

/* Skip a string that is a part of another value. */
static int skip_text(struct v8_reader *reader)
{
	struct v8_token token;
	uint8_t tag;
	int error = read_tag(reader, &tag);

	if (error)
		return error;
	return is_text(tag) ? read_text(reader, tag, &token) : -EBADMSG;
}

static int skip_regular_expression(struct v8_reader *reader)
{
	uint64_t flags;
	int error = skip_text(reader);

	return error ? error : read_varint(reader, &flags);
}

/* Skip a BigInt. Its length is in the upper bits of the first number. */
static int skip_big_integer(struct v8_reader *reader)
{
	uint32_t bits;
	int error = read_varint32(reader, &bits);

	if (error)
		return error;
	if (bits >> 1 > left_of(reader))
		return -ENODATA;
	reader->at += bits >> 1;
	return 0;
}

static int skip_resizable_buffer(struct v8_reader *reader)
{
	uint64_t length, most;
	int error = read_varint(reader, &length);

	if (!error)
		error = read_varint(reader, &most);
	if (error)
		return error;
	if (length > most)
		return -EBADMSG;
	if (length > left_of(reader))
		return -ENODATA;
	reader->at += length;
	return 0;
}

static int skip_reference(struct v8_reader *reader)
{
	uint32_t number;
	int error = read_varint32(reader, &number);

	if (error)
		return error;
	return number < reader->objects ? 0 : -EBADMSG;
}

/* Read a host object. Returns 1 if a plain object follows that stands for it. */
static int read_host_object(struct v8_reader *reader, struct v8_token *token)
{
	uint32_t what, view;
	int error = read_varint32(reader, &what);

	reader->objects++;
	if (error)
		return error;
	if (what == HOST_OBJECT)
		return 1;
	if (what != HOST_VIEW)
		return -EBADMSG;
	error = read_varint32(reader, &view);
	token->kind = !error && view == VIEW_BUFFER ? V8_BUFFER : V8_OTHER;
	return error ? error : read_bytes(reader, token);
}

/* Read a value that JSON does not have. */
static int read_other(struct v8_reader *reader, uint8_t tag, struct v8_token *token)
{
	token->kind = V8_OTHER;
	reader->objects += tag != 'Z' && tag != '^';
	switch (tag) {
	case 'D': /* Date */
	case 'n': /* Number object */
		return read_double(reader, token);
	case 'y': /* Boolean objects */
	case 'x':
		return 0;
	case 'Z': /* BigInt, and its object */
	case 'z':
		return skip_big_integer(reader);
	case 's': /* String object */
		return skip_text(reader);
	case 'R':
		return skip_regular_expression(reader);
	case 'B': /* ArrayBuffer */
		return read_bytes(reader, token);
	case '~':
		return skip_resizable_buffer(reader);
	case '^':
		return skip_reference(reader);
	default:
		return -EBADMSG;
	}
}

static int read_plain(struct v8_reader *reader, uint8_t tag, struct v8_token *token)
{
	switch (tag) {
	case 'T':
		token->kind = V8_TRUE;
		return 0;
	case 'F':
		token->kind = V8_FALSE;
		return 0;
	case '0':
		token->kind = V8_NULL;
		return 0;
	case '_':
	case '-':
		token->kind = V8_UNDEFINED;
		return 0;
	case 'I':
	case 'U':
		token->kind = V8_NUMBER;
		return read_integer(reader, tag == 'I', token);
	case 'N':
		token->kind = V8_NUMBER;
		return read_double(reader, token);
	default:
		return is_text(tag) ? read_text(reader, tag, token)
				    : read_other(reader, tag, token);
	}
}

/* ---- Objects, arrays, collections ------------------------------------------------------------ */

/*
 * Returns the tag that ends an object, array or collection; 0: the type is none of these. An error
 * has tags of its own.
 */
static uint8_t end_tag(uint8_t type)
{
	static const char begins[] = "oAa;'", ends[] = "{$@:,";
	const char *found = type ? strchr(begins, type) : NULL;

	return found ? (uint8_t)ends[found - begins] : 0;
}

static int open_level(struct v8_reader *reader, uint8_t tag, struct v8_token *token)
{
	struct v8_level level = {.type = tag};
	int error = 0;

	if (reader->depth == V8_DEPTH_MAX)
		return -EBADMSG;
	token->kind = tag == 'o' ? V8_OBJECT : tag == 'A' ? V8_ARRAY : V8_COLLECTION;
	reader->objects++;
	if (tag == 'A' || tag == 'a')
		error = read_varint32(reader, &level.size);
	if (tag == 'A')
		level.left = level.size;
	if (!error)
		reader->levels[reader->depth++] = level;
	return error;
}

/*
 * Close the innermost level. The number of its values stands behind the end; like V8, refuse a
 * wrong one.
 */
static int close_level(struct v8_reader *reader, struct v8_token *token)
{
	const struct v8_level *level = &reader->levels[reader->depth - 1];
	uint32_t count, size = level->size;
	int error = 0;

	if (level->has_name || level->left)
		return -EBADMSG;
	if (level->type != 'r') {
		error = read_varint32(reader, &count);
		if (!error && count != level->count)
			return -EBADMSG;
	}
	if (!error && (level->type == 'A' || level->type == 'a'))
		error = read_varint32(reader, &size);
	if (error)
		return error;
	reader->depth--;
	token->kind = V8_END;
	return size == level->size ? 0 : -EBADMSG;
}

/* Count a value that begins, which may be a name. */
static void count_value(struct v8_level *level, struct v8_token *token)
{
	bool has_names = level->type == 'o' || level->type == 'A' || level->type == 'a';

	if (level->left) {
		level->left--;
		return;
	}
	token->is_name = has_names && !level->has_name;
	level->count += !token->is_name;
	if (has_names || level->type == ';')
		level->has_name = !level->has_name;
}

/* Read the tags of an error, up to one with a value. Returns 1 if there is one. */
static int read_error_tags(struct v8_reader *reader)
{
	uint8_t tag;
	int error;

	while (!(error = read_byte(reader, &tag))) {
		if (tag == '.')
			return 0;
		if (tag == 'm' || tag == 's' || tag == 'c')
			return 1;
		if (!tag || !strchr("ERFSTU", tag))
			return -EBADMSG;
	}
	return error;
}

static int read_value(struct v8_reader *reader, uint8_t tag, struct v8_token *token)
{
	int result;

	while (tag == '\\') {
		result = read_host_object(reader, token);
		if (result <= 0)
			return result;
		result = read_tag(reader, &tag);
		if (result)
			return result;
	}
	if (tag == 'r' || end_tag(tag))
		return open_level(reader, tag, token);
	return read_plain(reader, tag, token);
}

/* Read the next token of the innermost level. */
static int read_in_level(struct v8_reader *reader, struct v8_token *token)
{
	struct v8_level *level = &reader->levels[reader->depth - 1];
	uint8_t tag;
	int result;

	if (level->type == 'r') {
		result = read_error_tags(reader);
		if (result <= 0)
			return result ? result : close_level(reader, token);
	}
	result = read_tag(reader, &tag);
	if (result)
		return result;
	if (level->type != 'r' && tag == end_tag(level->type))
		return close_level(reader, token);
	count_value(level, token);
	result = read_value(reader, tag, token);
	if (!result && token->is_name && token->kind != V8_STRING && token->kind != V8_NUMBER)
		return -EBADMSG;
	return result;
}

/* ---- The whole message ----------------------------------------------------------------------- */

int v8_reader_init(struct v8_reader *reader, const void *bytes, size_t length)
{
	uint32_t version;
	uint8_t tag;
	int error;

	/* open_level() sets the levels. */
	reader->at = bytes;
	reader->end = reader->at + length;
	reader->objects = 0;
	reader->depth = 0;
	reader->has_begun = false;
	error = read_byte(reader, &tag);
	if (!error && tag != VERSION_TAG)
		return -EBADMSG;
	if (!error)
		error = read_varint32(reader, &version);
	if (!error && version < VERSION_MIN)
		return -EBADMSG;
	return error;
}

int v8_reader_next(struct v8_reader *reader, struct v8_token *ret_token)
{
	uint8_t tag;
	int error;

	*ret_token = (struct v8_token){.kind = V8_END};
	if (reader->depth) {
		error = read_in_level(reader, ret_token);
	} else {
		if (reader->has_begun)
			return reader->at == reader->end ? 0 : -EBADMSG;
		reader->has_begun = true;
		error = read_tag(reader, &tag);
		if (!error)
			error = read_value(reader, tag, ret_token);
	}
	return error ? error : 1;
}
