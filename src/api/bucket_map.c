// SPDX-License-Identifier: MIT
#include "api/bucket_map.h"

#include <stdio.h>
#include <stdlib.h>

#include "sticky.h"

char *bucket_map_json(uint32_t slots, const uint16_t *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	uint32_t bucket;
	int failed;

	if (!out)
		return NULL;
	fprintf(out, "{\"buckets\":%d,\"slots\":%u,\"intervals\":[", STICKY_BUCKET_COUNT, slots);
	for (bucket = 0; bucket < STICKY_BUCKET_COUNT; bucket++)
		if (!bucket || table[bucket] != table[bucket - 1])
			fprintf(out, "%s[%u,%u]", bucket ? "," : "", bucket, table[bucket]);
	fputs("]}\n", out);
	failed = ferror(out);
	failed |= fclose(out) != 0;
	if (!failed)
		return text;
	free(text);
	return NULL;
}
