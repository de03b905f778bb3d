// SPDX-License-Identifier: MIT
#include "common/sanitize.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Characters that are not shown themselves, but change how others are shown, or hide text: controls
 * of ISO 6429, line and paragraph separators, and Unicode's format characters (category Cf) and
 * invisible letters. Those of the Arabic, Syriac and Kaithi scripts that are visible signs are left
 * out. In ascending order.
 */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{0x80, 0x9f},	    /* C1 controls */
	{0xad, 0xad},	    /* soft hyphen */
	{0x61c, 0x61c},	    /* Arabic letter mark: a direction */
	{0x115f, 0x1160},   /* Hangul fillers */
	{0x17b4, 0x17b5},   /* Khmer inherent vowels */
	{0x180b, 0x180f},   /* Mongolian variation selectors and vowel separator */
	{0x200b, 0x200f},   /* zero width; marks of direction */
	{0x2028, 0x202e},   /* line and paragraph separators; embeddings and overrides */
	{0x2060, 0x206f},   /* word joiner, invisible operators; isolates; deprecated */
	{0x3164, 0x3164},   /* Hangul filler */
	{0xfeff, 0xfeff},   /* byte order mark */
	{0xffa0, 0xffa0},   /* Hangul filler */
	{0xfff0, 0xfffb},   /* unassigned, ignored by default; interlinear annotations */
	{0x13430, 0x1343f}, /* Egyptian hieroglyph joiners */
	{0x1bca0, 0x1bca3}, /* shorthand */
	{0x1d173, 0x1d17a}, /* musical */
	{0xe0000, 0xe0fff}, /* tags; variation selectors beyond those that emoji use */
};

static bool is_hidden(uint32_t character)
{
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (character >= hidden[i].first && character <= hidden[i].last)
			return true;
	return false;
}

static size_t length_by_first_byte(unsigned char first)
{
	return first < 0x80   ? 1
	       : first < 0xc2 ? 0
	       : first < 0xe0 ? 2
	       : first < 0xf0 ? 3
	       : first < 0xf5 ? 4
			      : 0;
}

/*
 * Decode the UTF-8 sequence at the start of a text. RFC 3629: no overlong forms, no surrogates.
 * Returns its length, or 0 if there is none.
 */
static size_t decode(const unsigned char *text, uint32_t *ret_character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */
	size_t length = length_by_first_byte(text[0]), i;
	uint32_t character = length < 2 ? text[0] : text[0] & (0xffu >> (length + 1));

	for (i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3f);
	}
	if (character < least[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret_character = character;
	return length;
}

static bool is_fit(uint32_t character, bool keeps_lines)
{
	if (character == '\n')
		return keeps_lines;
	return character >= 0x20 && character != 0x7f && !is_hidden(character);
}

static void clean(char *text, bool keeps_lines)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		uint32_t character;
		size_t length = decode(at, &character), i;
		bool is_kept = length && is_fit(character, keeps_lines);

		length = length ? length : 1;
		for (i = 0; i < length && !is_kept; i++)
			at[i] = '?';
		at += length;
	}
}

void text_clean(char *text)
{
	clean(text, true);
}

void text_clean_line(char *text)
{
	clean(text, false);
}

void text_clean_value(char *text)
{
	clean(text, false);
	for (; *text; text++)
		if (*text == '"')
			*text = '\'';
}

/* The same as decode(), for bytes that need not end with a NUL. */
static size_t decode_some(const char *bytes, size_t length)
{
	unsigned char start[5] = {0};
	uint32_t character;

	memcpy(start, bytes, length < 4 ? length : 4);
	return decode(start, &character);
}

size_t text_to_utf8(const char *bytes, size_t length, char *ret_text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t at = 0, to = 0;

	while (at < length) {
		size_t sequence = decode_some(bytes + at, length - at);
		size_t size = sequence ? sequence : sizeof(replacement) - 1;

		memcpy(ret_text + to, sequence ? bytes + at : replacement, size);
		to += size;
		at += sequence ? sequence : 1;
	}
	ret_text[to] = '\0';
	return to;
}
