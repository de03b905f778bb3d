// SPDX-License-Identifier: MIT
#include "handoff/dispatch_rules.h"

#include <errno.h>
#include <stdlib.h>

int dispatch_rules_new(const struct dispatch_rules *values, const struct sticky_prefix *list,
		       size_t count, const struct dispatch_rules **ret_rules)
{
	struct dispatch_rules *rules = malloc(sizeof(*rules));
	int error;

	if (!rules)
		return -ENOMEM;
	*rules = *values;
	rules->references = 1;
	error = prefixes_init(&rules->trusted, list, count);
	if (error) {
		free(rules);
		return error;
	}
	*ret_rules = rules;
	return 0;
}

/*
 * Returns the count of references, which alone changes. All users of the rules see them as const.
 */
static uint32_t *references_of(const struct dispatch_rules *rules)
{
	return (uint32_t *)&rules->references;
}

const struct dispatch_rules *dispatch_rules_ref(const struct dispatch_rules *rules)
{
	__atomic_fetch_add(references_of(rules), 1, __ATOMIC_RELAXED);
	return rules;
}

void dispatch_rules_unref(const struct dispatch_rules *rules)
{
	struct dispatch_rules *last = (struct dispatch_rules *)rules;

	/* Other threads have finished reading the rules before the rules are freed here. */
	if (!rules || __atomic_sub_fetch(references_of(rules), 1, __ATOMIC_ACQ_REL))
		return;
	prefixes_fini(&last->trusted);
	free(last);
}
