/* SPDX-License-Identifier: MIT */
/* A list of texts that ends with NULL, as argv does. */
#ifndef STICKY_COMMON_STRINGLIST_H
#define STICKY_COMMON_STRINGLIST_H

#include <stdbool.h>
#include <stddef.h>

struct string_list {
	char **items; /* items[count] is NULL; items is NULL while the list is empty */
	size_t count;
	bool overridable; /* the values come from an earlier source: the next value replaces them */
};

/* Add a copy of a text. Returns 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *value);

/* The same, but an overridable list is emptied first. */
int string_list_override(struct string_list *list, const char *value);

/* Free the texts and the list, which is empty afterwards. */
void string_list_fini(struct string_list *list);

#endif
