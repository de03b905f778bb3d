// SPDX-License-Identifier: MIT
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>

#include "failure.h"
#include "heap.h"

void maps_write(const char *path, enum family family, uint32_t first, const struct client *clients,
		uint32_t count)
{
	FILE *file = fopen(path, "we");
	char text[INET6_ADDRSTRLEN];
	uint32_t source;

	if (!file)
		failure_exit("%s", path);
	for (source = 0; source < count; source++) {
		if (clients[source].slot == NO_SLOT)
			continue;
		sources_text(family, first + source, text);
		fprintf(file, "%s %d\n", text, clients[source].slot);
	}
	if (fclose(file))
		failure_exit("%s", path);
}

/*
 * Read the slots of clients from a file.
 *
 * expected  `count` slots, by index, counted from `first`; only slots of the file are written
 */
static void read_expected(const char *path, enum family family, uint32_t first, int *expected,
			  uint32_t count)
{
	FILE *file = fopen(path, "re");
	char text[INET6_ADDRSTRLEN];
	int slot;

	if (!file)
		failure_exit("%s", path);
	while (fscanf(file, "%45s %d", text, &slot) == 2) {
		uint32_t source = sources_index(family, text) - first;

		if (source < count)
			expected[source] = slot;
	}
	fclose(file);
}

uint64_t maps_compare(const char *path, enum family family, uint32_t first,
		      const struct client *clients, uint32_t count)
{
	int *expected = heap_allocate(count, sizeof(*expected));
	uint64_t mismatched = 0;
	uint32_t source;

	for (source = 0; source < count; source++)
		expected[source] = NO_SLOT;
	read_expected(path, family, first, expected, count);
	for (source = 0; source < count; source++)
		if (clients[source].slot != NO_SLOT && clients[source].slot != expected[source])
			mismatched++;
	free(expected);
	return mismatched;
}
