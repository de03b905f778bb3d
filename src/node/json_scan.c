// SPDX-License-Identifier: MIT
#include "node/json_scan.h"

#include <stdint.h>
#include <string.h>

struct scan {
	const char *at, *end;
	size_t depth;
	uint8_t is_object[JSON_SCAN_DEPTH_MAX / 8]; /* one bit for each level */
	const char *const *names;
	size_t count;
	struct json_part *parts;
	/* place of the value that is being read; NULL: the value is not wanted */
	struct json_part *member;
};

/* ---- Characters ---------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Returns the next character; NUL at the end of the text. */
static char peek(const struct scan *scan)
{
	return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct scan *scan, char c)
{
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

static void skip_space(struct scan *scan)
{
	while (peek(scan) == ' ' || peek(scan) == '\t' || peek(scan) == '\r' || peek(scan) == '\n')
		scan->at++;
}

/* ---- Values without members ---------------------------------------------------------------- */

static bool skip_escape(struct scan *scan)
{
	int i;

	if (scan->at == scan->end)
		return false;
	if (*scan->at != 'u')
		return *scan->at && strchr("\"\\/bfnrt", *scan->at++);
	scan->at++;
	for (i = 0; i < 4; i++)
		if (!is_hex(peek(scan)))
			return false;
		else
			scan->at++;
	return true;
}

static bool skip_string(struct scan *scan, struct json_part *ret_part)
{
	const char *begin;

	if (!take(scan, '"'))
		return false;
	begin = scan->at;
	while (scan->at < scan->end && *scan->at != '"') {
		if ((unsigned char)*scan->at < ' ')
			return false;
		if (*scan->at++ == '\\' && !skip_escape(scan))
			return false;
	}
	*ret_part = (struct json_part){JSON_SCAN_STRING, begin, (size_t)(scan->at - begin)};
	return take(scan, '"');
}

static bool skip_digits(struct scan *scan)
{
	if (!is_digit(peek(scan)))
		return false;
	while (is_digit(peek(scan)))
		scan->at++;
	return true;
}

static bool skip_number(struct scan *scan)
{
	take(scan, '-');
	if (!take(scan, '0') && !skip_digits(scan))
		return false;
	if (take(scan, '.') && !skip_digits(scan))
		return false;
	if (peek(scan) != 'e' && peek(scan) != 'E')
		return true;
	scan->at++;
	if (!take(scan, '+'))
		take(scan, '-');
	return skip_digits(scan);
}

static bool skip_word(struct scan *scan)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t i, left = (size_t)(scan->end - scan->at);

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i]);

		if (length <= left && !memcmp(scan->at, words[i], length)) {
			scan->at += length;
			return true;
		}
	}
	return false;
}

/* ---- Objects and arrays -------------------------------------------------------------------- */

static bool is_in_object(const struct scan *scan)
{
	size_t level = scan->depth - 1;

	return scan->is_object[level / 8] & 1u << level % 8;
}

static bool open_level(struct scan *scan, bool is_object)
{
	size_t level = scan->depth;

	if (level == JSON_SCAN_DEPTH_MAX)
		return false;
	/* The bits of higher levels are free, as those levels are closed. */
	if (level % 8 == 0)
		scan->is_object[level / 8] = 0;
	if (is_object)
		scan->is_object[level / 8] |= (uint8_t)(1u << level % 8);
	else
		scan->is_object[level / 8] &= (uint8_t) ~(1u << level % 8);
	scan->depth++;
	scan->at++;
	skip_space(scan);
	return true;
}

static bool close_level(struct scan *scan)
{
	if (!take(scan, is_in_object(scan) ? '}' : ']'))
		return false;
	scan->depth--;
	return true;
}

static void note_name(struct scan *scan, const struct json_part *name)
{
	size_t i;

	scan->member = NULL;
	for (i = 0; i < scan->count; i++)
		if (json_part_is(name, scan->names[i]))
			scan->member = &scan->parts[i];
}

static bool read_name(struct scan *scan)
{
	struct json_part name;

	skip_space(scan);
	if (!skip_string(scan, &name))
		return false;
	if (scan->depth == 1)
		note_name(scan, &name);
	skip_space(scan);
	return take(scan, ':');
}

static enum json_scan_kind kind_of(char c)
{
	switch (c) {
	case '{':
		return JSON_SCAN_OBJECT;
	case '[':
		return JSON_SCAN_ARRAY;
	case '"':
		return JSON_SCAN_STRING;
	default:
		return c == '-' || is_digit(c) ? JSON_SCAN_NUMBER : JSON_SCAN_WORD;
	}
}

/* ---- The whole text -------------------------------------------------------------------- */

/* Read a value, or the beginning of an object or array that is not empty (*ret_goes_on). */
static bool begin_value(struct scan *scan, bool *ret_goes_on)
{
	enum json_scan_kind kind;
	struct json_part string;

	skip_space(scan);
	kind = kind_of(peek(scan));
	*ret_goes_on = false;
	if (scan->depth == 1 && scan->member)
		*scan->member = (struct json_part){kind, scan->at, 0};
	if (kind == JSON_SCAN_STRING)
		return skip_string(scan, &string);
	if (kind == JSON_SCAN_NUMBER)
		return skip_number(scan);
	if (kind == JSON_SCAN_WORD)
		return skip_word(scan);
	if (!open_level(scan, kind == JSON_SCAN_OBJECT))
		return false;
	if (close_level(scan))
		return true;
	*ret_goes_on = true;
	return kind == JSON_SCAN_ARRAY || read_name(scan);
}

/* Note the end of a value, if it is a wanted member. */
static void end_value(struct scan *scan)
{
	struct json_part *part = scan->member;

	if (scan->depth != 1 || !part)
		return;
	part->length = (size_t)(scan->at - part->text);
	if (part->kind == JSON_SCAN_STRING) {
		part->text++;
		part->length -= 2;
	}
	scan->member = NULL;
}

/* Go on behind a value, up to the next one (*ret_goes_on) or to the end of the text. */
static bool end_values(struct scan *scan, bool *ret_goes_on)
{
	*ret_goes_on = false;
	for (;;) {
		end_value(scan);
		skip_space(scan);
		if (!scan->depth)
			return scan->at == scan->end;
		if (take(scan, ',')) {
			*ret_goes_on = true;
			return !is_in_object(scan) || read_name(scan);
		}
		if (!close_level(scan))
			return false;
	}
}

static bool scan_text(struct scan *scan)
{
	bool goes_on = true;

	while (goes_on) {
		if (!begin_value(scan, &goes_on))
			return false;
		if (!goes_on && !end_values(scan, &goes_on))
			return false;
	}
	return true;
}

bool json_scan(const char *text, size_t length, const char *const *names, size_t count,
	       struct json_part *ret_parts, enum json_scan_kind *ret_kind)
{
	struct scan scan;

	/* open_level() sets `is_object`, level by level. */
	scan.depth = 0;
	scan.at = text;
	scan.end = text + length;
	scan.names = names;
	scan.count = count;
	scan.parts = ret_parts;
	scan.member = NULL;
	if (count)
		memset(ret_parts, 0, count * sizeof(*ret_parts));
	skip_space(&scan);
	if (ret_kind)
		*ret_kind = kind_of(peek(&scan));
	return scan_text(&scan);
}

bool json_part_is(const struct json_part *part, const char *text)
{
	return part->kind == JSON_SCAN_STRING && part->length == strlen(text) &&
	       !memcmp(part->text, text, part->length);
}
