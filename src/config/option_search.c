// SPDX-License-Identifier: MIT
/* Finds options in the table of options.c. */
#include <stdio.h>
#include <string.h>

#include "config/options.h"
#include "config/suggestion.h"

const struct config_option *option_by_name(const char *name)
{
	const struct config_option *option;
	size_t i;

	for (i = 0; (option = option_at(i)); i++)
		if (!strcmp(option->doc.name, name))
			break;
	return option;
}

static bool is_spelled(const char *name, const char *text, size_t length, int (*spell)(int))
{
	size_t i;

	if (strlen(name) != length)
		return false;
	for (i = 0; i < length; i++)
		if (text[i] != (name[i] == '-' ? '_' : (char)spell((unsigned char)name[i])))
			return false;
	return true;
}

const struct config_option *option_by_spelling(const char *text, size_t length, int (*spell)(int))
{
	const struct config_option *option;
	size_t i;

	for (i = 0; (option = option_at(i)); i++)
		if (is_spelled(option->doc.name, text, length, spell))
			break;
	return option;
}

void option_spell(const struct config_option *option, char ret_name[OPTION_SPELLED_SIZE])
{
	char *dash;

	snprintf(ret_name, OPTION_SPELLED_SIZE, "%s", option->doc.name);
	while ((dash = strchr(ret_name, '-')))
		*dash = '_';
}

const struct config_option *option_nearest(const char *text, size_t length)
{
	const struct config_option *nearest = NULL, *option;
	size_t best = SUGGESTION_NEAR + 1, i;

	for (i = 0; (option = option_at(i)); i++) {
		size_t distance = suggestion_distance(text, length, option->doc.name);

		if (distance < best) {
			best = distance;
			nearest = option;
		}
	}
	return nearest;
}

bool option_is_text(const struct config_option *option)
{
	return option->kind == KIND_TEXT || option->kind == KIND_NAME ||
	       option->kind == KIND_TOKEN || option->kind == KIND_WORKER ||
	       option->kind == KIND_ADMIN;
}

bool option_is_list(const struct config_option *option)
{
	return option->kind == KIND_ADDRESSES || option->kind == KIND_RANGES ||
	       option->kind == KIND_FILES || option->kind == KIND_ASSIGNMENTS;
}
