// SPDX-License-Identifier: MIT
#include "policy/handshake_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int begin(struct handshake_set *set, const uint64_t *now, size_t count)
{
	if (count) {
		set->left = malloc(count * sizeof(*set->left));
		if (!set->left)
			return -ENOMEM;
		memcpy(set->left, now, count * sizeof(*set->left));
	}
	set->count = count;
	set->has_looked = true;
	return 0;
}

/* Keep the handshakes that are in both lists. */
static void keep(struct handshake_set *set, const uint64_t *now, size_t count)
{
	size_t read, kept = 0, i = 0;

	for (read = 0; read < set->count; read++) {
		while (i < count && now[i] < set->left[read])
			i++;
		if (i < count && now[i] == set->left[read])
			set->left[kept++] = set->left[read];
	}
	set->count = kept;
}

int handshake_set_look(struct handshake_set *set, const uint64_t *now, size_t count)
{
	if (!set->has_looked)
		return begin(set, now, count);
	keep(set, now, count);
	return 0;
}

bool handshake_set_is_over(const struct handshake_set *set)
{
	return set->has_looked && !set->count;
}

void handshake_set_fini(struct handshake_set *set)
{
	free(set->left);
	*set = (struct handshake_set){0};
}
