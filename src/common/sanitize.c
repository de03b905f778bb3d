// SPDX-License-Identifier: MIT
#include "common/sanitize.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the length of the UTF-8 sequence at the start of a text, or 0 if there is none. RFC 3629:
 * no overlong forms, no surrogates; and no control characters of ISO 6429 (U+0080 to U+009F).
 */
static size_t sequence_length(const unsigned char *text)
{
	size_t length = text[0] < 0x80	 ? 1
			: text[0] < 0xc2 ? 0
			: text[0] < 0xe0 ? 2
			: text[0] < 0xf0 ? 3
			: text[0] < 0xf5 ? 4
					 : 0;
	size_t i;

	for (i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if (length == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return 0;
	if (length == 3 &&
	    ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f)))
		return 0;
	if (length == 4 &&
	    ((text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)))
		return 0;
	return length;
}

void text_clean(char *text)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		size_t length = sequence_length(at);

		if (length == 0 || (length == 1 && *at != '\n' && (*at < 0x20 || *at == 0x7f))) {
			*at = '?';
			length = 1;
		}
		at += length;
	}
}
