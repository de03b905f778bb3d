// SPDX-License-Identifier: MIT
#include "check/check_schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/options.h"
#include "config/setting_text.h"

#define TIME_PATTERN  "[0-9]+(ms|s|m|h)?"
#define WORDS_PATTERN "^[^ \\t\\n]+$"

/* ---- The types of values --------------------------------------------------------------- */

/* Returns the type of a number with a unit: YAML reads a plain 1000 as a number, 10s as a text. */
static json_t *number_or_text(const char *pattern)
{
	return json_pack("{s:[s, s], s:s}", "type", "integer", "string", "pattern", pattern);
}

static json_t *number(const struct config_option *option)
{
	return json_pack("{s:[s, s], s:I, s:I, s:s}", "type", "integer", "string", "minimum",
			 (json_int_t)option->min, "maximum", (json_int_t)option->max, "pattern",
			 "^[0-9]+$");
}

static json_t *text(const char *pattern)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

/* Returns the type of one text, or of a list of texts. */
static json_t *texts(const char *pattern)
{
	json_t *one = text(pattern);

	return json_pack("{s:[O, {s:s, s:o}]}", "anyOf", one, "type", "array", "items", one);
}

/* Returns the type of {NAME: VALUE}, ["NAME=VALUE"], or one "NAME=VALUE". */
static json_t *assignments(void)
{
	json_t *values =
		json_pack("{s:[s, s, s, s]}", "type", "string", "number", "boolean", "null");
	json_t *mapping =
		json_pack("{s:s, s:{s:s}, s:o}", "type", "object", "propertyNames", "pattern",
			  "^[A-Za-z_][A-Za-z0-9_]*$", "additionalProperties", values);
	json_t *any = texts("^[A-Za-z_][A-Za-z0-9_]*=");

	json_array_append_new(json_object_get(any, "anyOf"), mapping);
	return any;
}

/*
 * Add a word to the values of a choice, and the number or boolean that some readers of YAML take it
 * for: 502, no and yes.
 */
static void add_choice(json_t *values, const char *word)
{
	json_array_append_new(values, json_string(word));
	if (isdigit((unsigned char)word[0]))
		json_array_append_new(values, json_integer(strtol(word, NULL, 10)));
	else if (!strcmp(word, "no") || !strcmp(word, "yes"))
		json_array_append_new(values, json_boolean(word[0] == 'y'));
}

static json_t *choice(const char *choices)
{
	json_t *values = json_array();
	char word[32];

	while (*choices) {
		int length = (int)strcspn(choices, " ");

		snprintf(word, sizeof(word), "%.*s", length, choices);
		add_choice(values, word);
		choices += length + (choices[length] == ' ');
	}
	return json_pack("{s:o}", "enum", values);
}

static json_t *type_of(const struct config_option *option)
{
	switch (option->kind) {
	case KIND_NAME:
		return number_or_text("^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$");
	case KIND_TEXT:
		return number_or_text("^.+$");
	case KIND_TOKEN:
		return number_or_text("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,63}$");
	case KIND_WORKER:
		return text("^(auto|activation|bind|node|node:sticky-listen|"
			    "node:sticky-cluster(,prefix=.*)?)$");
	case KIND_ADDRESSES:
		return texts("^.*:[0-9]+$");
	case KIND_RANGES:
	case KIND_FILES:
		return texts("^.+$");
	case KIND_ASSIGNMENTS:
		return assignments();
	case KIND_NUMBER:
		return number(option);
	case KIND_TIME:
		return number_or_text("^" TIME_PATTERN "$");
	case KIND_SIZE:
		return number_or_text("^[0-9]+[KMGT]?$");
	case KIND_RATE:
		return text("^[0-9]+/" TIME_PATTERN "$");
	case KIND_ADMIN:
		return text("^(off|unix:/.+|.*:[0-9]+)$");
	case KIND_FLAG:
	case KIND_CHOICE:
		return choice(option->choices);
	}
	return json_object();
}

/* ---- The file ------------------------------------------------------------------------- */

static json_t *describe(const struct config_option *option, const struct config *defaults)
{
	json_t *type = type_of(option);
	char value[128];

	json_object_set_new(type, "description", json_string(option->doc.doc));
	if (!option_is_list(option) && setting_text(defaults, option, sizeof(value), value))
		json_object_set_new(type, "default", json_string(value));
	return type;
}

/* Returns the type of the command: a list of its words, or a text that is a single word. */
static json_t *command(void)
{
	json_t *list = json_pack("{s:s, s:i, s:{s:[s, s, s, s]}}", "type", "array", "minItems", 1,
				 "items", "type", "string", "number", "boolean", "null");

	return json_pack("{s:s, s:[o, o]}", "description",
			 "The command of the workers, as a list of its words", "anyOf", list,
			 text(WORDS_PATTERN));
}

json_t *check_schema(void)
{
	json_t *properties = json_object();
	const struct config_option *option;
	char name[OPTION_SPELLED_SIZE];
	struct config defaults;
	size_t i;

	config_init(&defaults);
	for (i = 0; (option = option_at(i)); i++) {
		if (option->doc.key == 'c')
			continue;
		option_spell(option, name);
		json_object_set_new(properties, name, describe(option, &defaults));
	}
	config_fini(&defaults);
	json_object_set_new(properties, "command", command());
	return json_pack("{s:s, s:s, s:[s, s], s:b, s:o}", "$schema",
			 "http://json-schema.org/draft-07/schema#", "title",
			 "The configuration file of stickyctl", "type", "object", "null",
			 "additionalProperties", 0, "properties", properties);
}
