/* SPDX-License-Identifier: MIT */
/* A list of texts that ends with NULL, as argv does. */
#ifndef STICKY_COMMON_STRINGLIST_H
#define STICKY_COMMON_STRINGLIST_H

#include <stdbool.h>
#include <stddef.h>

struct string_list {
	char **items; /* items[count] is NULL once there is one */
	size_t count;
	bool overridable; /* from an earlier source: the next addition replaces it */
};

/* Add a copy. Returns 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *value);

/* The same; a list from an earlier source begins anew. */
int string_list_override(struct string_list *list, const char *value);

void string_list_fini(struct string_list *list);

#endif
