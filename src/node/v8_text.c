// SPDX-License-Identifier: MIT
#include "node/v8_text.h"

#include <string.h>

static int32_t next_utf16(const struct v8_token *string, size_t *at)
{
	uint16_t unit, low;

	memcpy(&unit, string->bytes + *at, sizeof(unit)); /* in the host's byte order */
	*at += sizeof(unit);
	if ((unit & 0xfc00) != 0xd800 || string->length - *at < sizeof(low))
		return unit;
	memcpy(&low, string->bytes + *at, sizeof(low));
	if ((low & 0xfc00) != 0xdc00)
		return unit;
	*at += sizeof(low);
	return 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
}

static int32_t next_utf8(const struct v8_token *string, size_t *at)
{
	static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t first = string->bytes[(*at)++];
	unsigned int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3, i;
	int32_t character = more ? first & (0x3f >> more) : first;

	if (first >= 0xf8 || (first >= 0x80 && first < 0xc0) || string->length - *at < more)
		return -1;
	for (i = 0; i < more; i++) {
		uint8_t byte = string->bytes[(*at)++];

		if ((byte & 0xc0) != 0x80)
			return -1;
		character = character << 6 | (byte & 0x3f);
	}
	return character < least[more] || character > 0x10ffff ? -1 : character;
}

int32_t v8_next_character(const struct v8_token *string, size_t *at)
{
	if (string->encoding == V8_LATIN1)
		return string->bytes[(*at)++];
	return string->encoding == V8_UTF16 ? next_utf16(string, at) : next_utf8(string, at);
}

size_t v8_write_utf8(uint32_t character, char ret_bytes[4])
{
	static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	size_t i;

	for (i = length - 1; i; i--) {
		ret_bytes[i] = (char)(0x80 | (character & 0x3f));
		character >>= 6;
	}
	ret_bytes[0] = (char)(marks[length] | character);
	return length;
}
