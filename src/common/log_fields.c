// SPDX-License-Identifier: MIT
#include "common/log_fields.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LETTERS "abcdefghijklmnopqrstuvwxyz_0123456789"
#define DIGITS	    "0123456789"
#define DIGITS_MAX  15 /* every reader of JSON keeps such a number exactly */

/* Returns true if the text is a whole number as JSON writes it; "08" is not. */
static bool is_number(const char *text, size_t length)
{
	size_t sign = length && text[0] == '-';

	return length > sign && length <= DIGITS_MAX &&
	       strspn(text + sign, DIGITS) >= length - sign && (text[sign] != '0' || length == 1);
}

static json_t *make_value(const char *text, size_t length, bool is_quoted)
{
	if (!is_quoted && is_number(text, length))
		return json_integer(strtoll(text, NULL, 10));
	return json_stringn(text, length);
}

/*
 * Read one field, and the space behind it. Returns where the next field begins; NULL: this is none.
 */
static const char *read_field(const char *text, json_t *fields)
{
	size_t key = strspn(text, KEY_LETTERS), length;
	const char *value = text + key + 1, *end;
	bool is_quoted;

	if (!key || text[key] != '=')
		return NULL;
	is_quoted = *value == '"';
	value += is_quoted;
	length = strcspn(value, is_quoted ? "\"" : " ");
	end = value + length;
	if (is_quoted && *end++ != '"')
		return NULL;
	if (*end && *end != ' ')
		return NULL;
	if (json_object_setn_new(fields, text, key, make_value(value, length, is_quoted)))
		return NULL;
	return end + strspn(end, " ");
}

json_t *log_fields_parse(const char *text)
{
	json_t *fields = json_object();
	const char *at = text;

	while (fields && at && *at)
		at = read_field(at, fields);
	if (!fields || at)
		return fields;
	json_decref(fields);
	return json_pack("{s:s}", "message", text);
}
