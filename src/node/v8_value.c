// SPDX-License-Identifier: MIT
#include "node/v8_value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/v8_reader.h"
#include "node/v8_text.h"

#define REPLACEMENT 0xfffd /* U+FFFD, in the place of half of a surrogate pair */
#define VERSION	    13
#define ROOM	    256

/* ---- From V8 --------------------------------------------------------------------------------- */

struct parent {
	json_t *value; /* an object or array; borrowed */
	bool is_last;  /* the array has members behind its elements, which JSON does not have */
};

struct conversion {
	struct v8_reader reader;
	json_t *root;
	char *name; /* name of the member whose value follows; NULL: none */
	size_t depth, values;
	struct parent parents[V8_JSON_DEPTH_MAX];
};

/* Convert a string to UTF-8 with a final NUL. Returns NULL on errors. */
static char *copy_text(const struct v8_token *string, size_t *ret_length, int *ret_error)
{
	/* UTF-8 has at most 2 bytes for each byte of Latin-1, and 3 for each 2 bytes of UTF-16. */
	char *text = malloc(2 * string->length + 1);
	size_t at = 0, length = 0;

	*ret_error = text ? 0 : -ENOMEM;
	while (!*ret_error && at < string->length) {
		int32_t character = v8_next_character(string, &at);

		if (character < 0)
			*ret_error = -EBADMSG;
		else if (character >= 0xd800 && character < 0xe000)
			character = REPLACEMENT;
		if (!*ret_error)
			length += v8_write_utf8((uint32_t)character, text + length);
	}
	if (*ret_error) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	*ret_length = length;
	return text;
}

static json_t *make_string(const struct v8_token *token, int *ret_error)
{
	size_t length;
	char *text = copy_text(token, &length, ret_error);
	json_t *value = text ? json_stringn(text, length) : NULL;

	free(text);
	return value;
}

/* Make a number. JSON has no infinite numbers, for which JSON.stringify() writes null. */
static json_t *make_number(double number)
{
	if (number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
	    number == (double)(json_int_t)number)
		return json_integer((json_int_t)number);
	return number - number == 0 ? json_real(number) : json_null();
}

static json_t *make_buffer(const struct v8_token *token, int *ret_error)
{
	json_t *data;
	size_t i;

	if (token->length > V8_JSON_VALUES_MAX) {
		*ret_error = -E2BIG;
		return NULL;
	}
	data = json_array();
	for (i = 0; data && i < token->length; i++)
		if (json_array_append_new(data, json_integer(token->bytes[i]))) {
			json_decref(data);
			return NULL;
		}
	return data ? json_pack("{s:s, s:o}", "type", "Buffer", "data", data) : NULL;
}

/*
 * Make the JSON value of a token. On errors returns NULL, with *ret_error set, or 0 if memory is
 * short.
 */
static json_t *make_value(const struct v8_token *token, int *ret_error)
{
	switch (token->kind) {
	case V8_STRING:
		return make_string(token, ret_error);
	case V8_NUMBER:
		return make_number(token->number);
	case V8_TRUE:
		return json_true();
	case V8_FALSE:
		return json_false();
	case V8_NULL:
	case V8_UNDEFINED:
		return json_null();
	case V8_BUFFER:
		return make_buffer(token, ret_error);
	case V8_OBJECT:
		return json_object();
	case V8_ARRAY:
		return json_array();
	default:
		*ret_error = -EBADMSG;
		return NULL;
	}
}

static int take_name(struct conversion *conversion, const struct v8_token *token)
{
	struct parent *parent = &conversion->parents[conversion->depth - 1];
	size_t length;
	int error;

	parent->is_last = json_is_array(parent->value);
	/* A name that is a number is an index, which no message of the cluster module has. */
	if (token->kind != V8_STRING)
		return -EBADMSG;
	conversion->name = copy_text(token, &length, &error);
	if (!error && strlen(conversion->name) != length)
		error = -EBADMSG;
	return error;
}

/* Add a value to the innermost object or array. `value` is taken over. */
static int add(struct conversion *conversion, json_t *value, bool is_undefined)
{
	struct parent *parent;
	int result = 0;

	if (!conversion->depth) {
		conversion->root = value;
		return 0;
	}
	parent = &conversion->parents[conversion->depth - 1];
	if (parent->is_last)
		result = -EBADMSG;
	else if (json_is_array(parent->value))
		result = json_array_append(parent->value, value) ? -ENOMEM : 0;
	else if (!is_undefined)
		result = json_object_set(parent->value, conversion->name, value) ? -ENOMEM : 0;
	json_decref(value);
	free(conversion->name);
	conversion->name = NULL;
	return result;
}

static int take_value(struct conversion *conversion, const struct v8_token *token)
{
	int error = 0;
	json_t *value = make_value(token, &error);

	if (!value)
		return error ? error : -ENOMEM;
	error = add(conversion, value, token->kind == V8_UNDEFINED);
	if (error || (token->kind != V8_OBJECT && token->kind != V8_ARRAY))
		return error;
	if (conversion->depth == V8_JSON_DEPTH_MAX)
		return -E2BIG;
	conversion->parents[conversion->depth++] = (struct parent){.value = value};
	return 0;
}

static int take_token(struct conversion *conversion, const struct v8_token *token)
{
	conversion->values += 1 + (token->kind == V8_BUFFER ? token->length : 0);
	if (conversion->values > V8_JSON_VALUES_MAX)
		return -E2BIG;
	if (token->kind == V8_END) {
		conversion->depth--;
		return 0;
	}
	if (token->is_name)
		return take_name(conversion, token);
	return take_value(conversion, token);
}

static int convert(struct conversion *conversion)
{
	struct v8_token token;
	int result;

	while ((result = v8_reader_next(&conversion->reader, &token)) > 0) {
		result = take_token(conversion, &token);
		if (result)
			break;
	}
	return result;
}

int v8_to_json(const void *bytes, size_t length, json_t **ret_value)
{
	struct conversion conversion;
	int result = v8_reader_init(&conversion.reader, bytes, length);

	conversion.root = NULL;
	conversion.name = NULL;
	conversion.depth = conversion.values = 0;
	if (!result)
		result = convert(&conversion);
	free(conversion.name);
	if (!result)
		*ret_value = conversion.root;
	else
		json_decref(conversion.root);
	return result == -ENODATA ? -EBADMSG : result;
}

/* ---- To V8 ----------------------------------------------------------------------------------- */

struct output {
	char *bytes;
	size_t length, room;
	int error;
};

static void put(struct output *output, const void *bytes, size_t length)
{
	if (!output->error && length > output->room - output->length) {
		size_t room = 2 * output->room + length;
		char *larger = realloc(output->bytes, room);

		if (larger) {
			output->bytes = larger;
			output->room = room;
		} else {
			output->error = -ENOMEM;
		}
	}
	if (output->error)
		return;
	memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
}

static void put_tag(struct output *output, char tag)
{
	put(output, &tag, 1);
}

static void put_varint(struct output *output, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		put_tag(output, (char)(0x80 | (value & 0x7f)));
	put_tag(output, (char)value);
}

static void put_text(struct output *output, const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && !(text[i] & 0x80))
		i++;
	put_tag(output, i == length ? '"' : 'S');
	put_varint(output, length);
	put(output, text, length);
}

static void put_double(struct output *output, double number)
{
	put_tag(output, 'N');
	put(output, &number, sizeof(number));
}

static void put_integer(struct output *output, json_int_t number)
{
	int32_t small = (int32_t)number;

	if (number != small) {
		put_double(output, (double)number);
		return;
	}
	put_tag(output, 'I');
	put_varint(output, (uint32_t)small << 1 ^ (small < 0 ? UINT32_MAX : 0));
}

static void put_value(struct output *output, const json_t *value, size_t depth);

static void put_object(struct output *output, const json_t *object, size_t depth)
{
	const char *name;
	json_t *value;

	put_tag(output, 'o');
	json_object_foreach((json_t *)object, name, value)
	{
		put_text(output, name, strlen(name));
		put_value(output, value, depth);
	}
	put_tag(output, '{');
	put_varint(output, json_object_size(object));
}

static void put_array(struct output *output, const json_t *array, size_t depth)
{
	size_t size = json_array_size(array), i;

	put_tag(output, 'A');
	put_varint(output, size);
	for (i = 0; i < size; i++)
		put_value(output, json_array_get(array, i), depth);
	put_tag(output, '$');
	put_varint(output, 0);
	put_varint(output, size);
}

/* Write a value. The recursion ends at V8_JSON_DEPTH_MAX. */
static void put_value(struct output *output, const json_t *value, size_t depth)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (depth == V8_JSON_DEPTH_MAX && !output->error)
			output->error = -E2BIG;
		if (output->error)
			return;
		if (json_is_object(value))
			put_object(output, value, depth + 1);
		else
			put_array(output, value, depth + 1);
		break;
	case JSON_STRING:
		put_text(output, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		put_integer(output, json_integer_value(value));
		break;
	case JSON_REAL:
		put_double(output, json_real_value(value));
		break;
	case JSON_TRUE:
		put_tag(output, 'T');
		break;
	case JSON_FALSE:
		put_tag(output, 'F');
		break;
	case JSON_NULL:
		put_tag(output, '0');
		break;
	}
}

int v8_from_json(const json_t *value, size_t head, char **ret_bytes, size_t *ret_length)
{
	struct output output = {.length = head, .room = head + ROOM};

	output.bytes = calloc(1, output.room);
	if (!output.bytes)
		return -ENOMEM;
	put_tag(&output, (char)0xff);
	put_varint(&output, VERSION);
	put_value(&output, value, 0);
	if (output.error) {
		free(output.bytes);
		return output.error;
	}
	*ret_bytes = output.bytes;
	*ret_length = output.length;
	return 0;
}
