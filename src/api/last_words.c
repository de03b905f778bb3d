// SPDX-License-Identifier: MIT
#include "api/last_words.h"

#include <string.h>

#define LOOKED_AT 40

static bool begins_with(const struct ring_line *line, const char *text)
{
	size_t length = strlen(text);

	return line->length >= length && !memcmp(line->bytes, text, length);
}

static bool says_something(const struct ring_line *line)
{
	return line->length > 1 && line->bytes[0] != ' ' && line->bytes[0] != '\t' &&
	       line->bytes[0] != '\r' && !begins_with(line, "Node.js v");
}

const struct ring_line *last_words_find(const struct line_ring *ring, uint32_t slot,
					uint64_t generation)
{
	const struct ring_line *line, *found = NULL;

	if (!ring || !line_ring_count(ring, slot))
		return NULL;
	line = line_ring_from(ring, slot, line_ring_last(ring, slot, LOOKED_AT));
	for (; line; line = line_ring_next(line, slot))
		if (line->origin.generation == generation && says_something(line))
			found = line;
	return found;
}
