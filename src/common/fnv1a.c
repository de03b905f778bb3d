// SPDX-License-Identifier: MIT
#include "common/fnv1a.h"

#include <string.h>

uint64_t fnv1a_add_bytes(uint64_t id, const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;

	while (size--)
		id = (id ^ *byte++) * 0x100000001b3ull;
	return id;
}

uint64_t fnv1a_add(uint64_t id, const char *text)
{
	return text ? fnv1a_add_bytes(id, text, strlen(text) + 1) : fnv1a_add_bytes(id, "\xff", 1);
}

uint64_t fnv1a_add_list(uint64_t id, const struct string_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		id = fnv1a_add(id, list->items[i]);
	return fnv1a_add(id, NULL);
}
