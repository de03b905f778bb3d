// SPDX-License-Identifier: MIT
#include "config/origins.h"

#include <stdio.h>
#include <string.h>

static bool is_on_command_line(const struct config_sources *sources, int key)
{
	size_t i;

	for (i = 0; i < sources->given_count; i++)
		if (sources->given[i].key == key)
			return true;
	return false;
}

static bool is_from(const struct origins *origins, const struct config_option *option,
		    enum origin origin)
{
	switch (origin) {
	case ORIGIN_FILE:
		return origins->report->places[option_index(option)].line != 0;
	case ORIGIN_ENVIRONMENT:
		return config_variable(origins->sources->environment, option) != NULL;
	case ORIGIN_COMMAND_LINE:
		return is_on_command_line(origins->sources, option->doc.key);
	default:
		return false;
	}
}

enum origin origin_of(const struct origins *origins, const struct config_option *option)
{
	int origin;

	for (origin = ORIGIN_COUNT - 1; origin > ORIGIN_DEFAULT; origin--)
		if (is_from(origins, option, (enum origin)origin))
			break;
	return (enum origin)origin;
}

/* Returns the length of a variable's name, in bytes. */
static int name_length(const char *variable)
{
	return (int)strcspn(variable, "=");
}

static void name_source(const struct origins *origins, const struct config_option *option,
			enum origin origin, char text[ORIGIN_TEXT_SIZE])
{
	const char *variable;

	switch (origin) {
	case ORIGIN_FILE:
		snprintf(text, ORIGIN_TEXT_SIZE, "%.200s:%zu", origins->file,
			 origins->report->places[option_index(option)].line);
		break;
	case ORIGIN_ENVIRONMENT:
		variable = config_variable(origins->sources->environment, option);
		snprintf(text, ORIGIN_TEXT_SIZE, "%.*s", name_length(variable), variable);
		break;
	case ORIGIN_COMMAND_LINE:
		snprintf(text, ORIGIN_TEXT_SIZE, "command line");
		break;
	default:
		snprintf(text, ORIGIN_TEXT_SIZE, "default");
	}
}

static bool adds_up(const struct config_option *option)
{
	return option->kind == KIND_FILES || option->kind == KIND_ASSIGNMENTS;
}

void origin_describe(const struct origins *origins, const struct config_option *option,
		     char ret_text[ORIGIN_TEXT_SIZE])
{
	int last = (int)origin_of(origins, option), origin;
	size_t length = 0;
	char name[ORIGIN_TEXT_SIZE];

	for (origin = adds_up(option) ? ORIGIN_DEFAULT : last; origin <= last; origin++) {
		if (origin != last && !is_from(origins, option, (enum origin)origin))
			continue;
		name_source(origins, option, (enum origin)origin, name);
		snprintf(ret_text + length, ORIGIN_TEXT_SIZE - length, "%s%s", length ? ", " : "",
			 name);
		length = strlen(ret_text);
	}
}

void origin_place(const struct origins *origins, const struct config_option *option,
		  char ret_text[ORIGIN_TEXT_SIZE])
{
	const struct file_place *place = &origins->report->places[option_index(option)];
	char name[OPTION_SPELLED_SIZE];
	const char *variable;

	switch (origin_of(origins, option)) {
	case ORIGIN_FILE:
		option_spell(option, name);
		snprintf(ret_text, ORIGIN_TEXT_SIZE, "%.200s:%zu:%zu: %s", origins->file,
			 place->line, place->column, name);
		break;
	case ORIGIN_ENVIRONMENT:
		variable = config_variable(origins->sources->environment, option);
		snprintf(ret_text, ORIGIN_TEXT_SIZE, "environment %.*s", name_length(variable),
			 variable);
		break;
	default:
		snprintf(ret_text, ORIGIN_TEXT_SIZE, "--%s", option->doc.name);
	}
}
