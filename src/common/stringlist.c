// SPDX-License-Identifier: MIT
#include "common/stringlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int string_list_add(struct string_list *list, const char *value)
{
	char **items = realloc(list->items, (list->count + 2) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = strdup(value);
	if (!items[list->count])
		return -ENOMEM;
	items[++list->count] = NULL;
	return 0;
}

int string_list_override(struct string_list *list, const char *value)
{
	if (list->overridable)
		string_list_fini(list);
	return string_list_add(list, value);
}

void string_list_fini(struct string_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}
