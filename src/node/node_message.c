// SPDX-License-Identifier: MIT
#include "node/node_message.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "node/v8_reader.h"
#include "node/v8_text.h"
#include "node/v8_value.h"

struct text {
	char *to;
	size_t length;
};

/* ---- Texts of JSON --------------------------------------------------------------------------- */

/* Write a character as JSON.stringify() does. Returns its length in bytes, at most 6. */
static size_t write_character(uint32_t character, char ret_bytes[8])
{
	static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = character && character < 0x80 ? strchr(special, (int)character) : NULL;

	if (found)
		return (size_t)snprintf(ret_bytes, 8, "\\%c", letters[found - special]);
	if (character < ' ' || (character >= 0xd800 && character < 0xe000))
		return (size_t)snprintf(ret_bytes, 8, "\\u%04x", (unsigned int)(uint16_t)character);
	return v8_write_utf8(character, ret_bytes);
}

/*
 * Write a string as in JSON. A string that is too long is cut to NODE_MESSAGE_TEXT_MAX, a length
 * that no name and no id has.
 */
static bool write_text(const struct v8_token *string, char text[NODE_MESSAGE_TEXT_MAX],
		       size_t *ret_length)
{
	size_t at = 0, length = 0;

	while (at < string->length) {
		int32_t character = v8_next_character(string, &at);
		char bytes[8];
		size_t more;

		if (character < 0)
			return false;
		more = write_character((uint32_t)character, bytes);
		if (length + more > NODE_MESSAGE_TEXT_MAX - 1) {
			memset(text + length, '.', NODE_MESSAGE_TEXT_MAX - length);
			length = NODE_MESSAGE_TEXT_MAX;
			break;
		}
		memcpy(text + length, bytes, more);
		length += more;
	}
	*ret_length = length;
	return true;
}

static size_t write_number(double number, char text[NODE_MESSAGE_TEXT_MAX])
{
	return (size_t)snprintf(text, NODE_MESSAGE_TEXT_MAX, "%.17g", number);
}

/* ---- V8's format ----------------------------------------------------------------------------- */

static enum json_scan_kind kind_of(const struct v8_token *token)
{
	switch (token->kind) {
	case V8_STRING:
		return JSON_SCAN_STRING;
	case V8_NUMBER:
		return JSON_SCAN_NUMBER;
	case V8_TRUE:
	case V8_FALSE:
	case V8_NULL:
		return JSON_SCAN_WORD;
	case V8_UNDEFINED:
		return JSON_SCAN_ABSENT;
	case V8_ARRAY:
		return JSON_SCAN_ARRAY;
	default:
		return JSON_SCAN_OBJECT;
	}
}

static bool describe(const struct v8_token *token, char text[NODE_MESSAGE_TEXT_MAX],
		     struct json_part *ret_part)
{
	*ret_part = (struct json_part){.kind = kind_of(token), .text = text};
	if (token->kind == V8_STRING)
		return write_text(token, text, &ret_part->length);
	if (token->kind == V8_NUMBER)
		ret_part->length = write_number(token->number, text);
	return true;
}

/* Returns the index of a name, or `count`. */
static size_t find_name(const struct v8_token *token, const char *const *names, size_t count)
{
	char text[NODE_MESSAGE_TEXT_MAX];
	struct json_part name;
	size_t i = 0;

	if (!describe(token, text, &name))
		return count;
	while (i < count && !json_part_is(&name, names[i]))
		i++;
	return i;
}

static bool scan_advanced(struct v8_reader *reader, const char *const *names, size_t count,
			  struct json_part *parts, struct json_part *whole,
			  struct node_message_texts *texts)
{
	struct v8_token token;
	size_t wanted = count;
	bool is_object;
	int result = v8_reader_next(reader, &token);

	if (result <= 0 || !describe(&token, texts->texts[NODE_MESSAGE_PARTS_MAX], whole))
		return false;
	is_object = token.kind == V8_OBJECT;
	for (;;) {
		bool is_member = is_object && reader->depth == 1;

		result = v8_reader_next(reader, &token);
		if (result <= 0)
			return !result;
		if (is_member && token.is_name) {
			wanted = find_name(&token, names, count);
		} else if (is_member && wanted < count) {
			if (!describe(&token, texts->texts[wanted], &parts[wanted]))
				return false;
			wanted = count;
		}
	}
}

/* ---- Both ------------------------------------------------------------------------------------ */

static bool scan_json(const struct node_message *message, const char *const *names, size_t count,
		      struct json_part *ret_parts, struct json_part *ret_whole)
{
	struct json_part whole = {.text = message->bytes, .length = message->length};

	if (!json_scan(message->bytes, message->length, names, count, ret_parts, &whole.kind))
		return false;
	/* JSON.stringify() writes no white space around the value. */
	if (whole.kind == JSON_SCAN_STRING && whole.text[0] == '"' &&
	    whole.text[whole.length - 1] == '"') {
		whole.text++;
		whole.length -= 2;
	}
	*ret_whole = whole;
	return true;
}

bool node_message_scan(const struct node_message *message, const char *const *names, size_t count,
		       struct json_part *ret_parts, struct json_part *ret_whole,
		       struct node_message_texts *ret_texts)
{
	struct v8_reader reader;

	if (message->format == NODE_FORMAT_JSON)
		return scan_json(message, names, count, ret_parts, ret_whole);
	if (count)
		memset(ret_parts, 0, count * sizeof(*ret_parts));
	return !v8_reader_init(&reader, message->bytes, message->length) &&
	       scan_advanced(&reader, names, count, ret_parts, ret_whole, ret_texts);
}

json_t *node_message_load(const struct node_message *message)
{
	json_t *value = NULL;

	if (message->format == NODE_FORMAT_JSON)
		return json_loadb(message->bytes, message->length, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				  NULL);
	return v8_to_json(message->bytes, message->length, &value) ? NULL : value;
}

int node_message_check_advanced(const char *bytes, size_t length)
{
	struct v8_reader reader;
	struct v8_token token;
	int result = v8_reader_init(&reader, bytes, length);

	if (result)
		return result;
	do
		result = v8_reader_next(&reader, &token);
	while (result > 0);
	return result;
}
