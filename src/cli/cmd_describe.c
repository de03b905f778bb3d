// SPDX-License-Identifier: MIT
/*
 * Prints all commands and options as JSON, from which docs/manual/ writes the manual. Not for
 * users.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/start.h"
#include "common/exit_code.h"
#include "config/options.h"
#include "sticky.h"

static json_t *describe_option(const struct argp_option *option)
{
	char letter[] = {(char)option->key, '\0'};
	bool is_letter = option->key > 0 && option->key < 256 && isalnum(option->key);

	return json_pack("{s:s, s:s?, s:s?, s:b, s:s}", "name", option->name, "letter",
			 is_letter ? letter : NULL, "argument", option->arg, "is_optional",
			 (option->flags & OPTION_ARG_OPTIONAL) != 0, "text",
			 option->doc ? option->doc : "");
}

static const char *change_text(enum option_change change)
{
	switch (change) {
	case CHANGES_AT_RELOAD:
		return "reload";
	case CHANGES_AT_TAKEOVER:
		return "takeover";
	case CHANGES_AT_START:
		return "start";
	}
	return "";
}

/* Describe an option of the table. `group` is the title above the option in the help of `start`. */
static json_t *describe_row(const struct config_option *row, const char *group)
{
	const struct argp_option option = {.name = row->doc.name,
					   .key = row->doc.key,
					   .arg = row->doc.arg,
					   .doc = row->doc.doc};
	json_t *described = describe_option(&option);
	char spelt[OPTION_SPELLED_SIZE];

	option_spell(row, spelt);
	json_object_set_new(described, "group", json_string(group));
	json_object_set_new(described, "spelt", json_string(spelt));
	json_object_set_new(described, "changes_at", json_string(change_text(row->change)));
	json_object_set_new(described, "choices", json_string(row->choices ? row->choices : ""));
	json_object_set_new(described, "is_list", json_boolean(option_is_list(row)));
	return described;
}

static json_t *describe_table(void)
{
	struct argp_option listed[START_OPTIONS_MAX];
	json_t *rows = json_array();
	const struct config_option *row;
	const char *group = "";
	size_t i;

	for (i = 0; (row = option_at(i)); i++)
		if (row->doc.every_command)
			json_array_append_new(rows, describe_row(row, "Every command:"));
	start_line_options(0, listed);
	for (i = 0; listed[i].name || listed[i].doc; i++) {
		if (listed[i].name)
			json_array_append_new(rows,
					      describe_row(option_by_key(listed[i].key), group));
		else
			group = listed[i].doc;
	}
	return rows;
}

static json_t *describe_command(const struct command *command)
{
	const struct argp_option *option = command->options;
	json_t *options = json_array();

	for (; option && option->name; option++)
		json_array_append_new(options, describe_option(option));
	return json_pack("{s:s, s:s, s:s, s:o}", "name", command->name, "arguments",
			 command->arguments, "summary", command->summary, "options", options);
}

int command_describe(int argc, char **argv)
{
	json_t *commands = json_array(), *all;
	const struct command *command;
	int result;
	size_t i;

	(void)argc, (void)argv;
	for (i = 0; (command = command_at(i)); i++)
		json_array_append_new(commands, describe_command(command));
	all = json_pack("{s:s, s:o, s:o}", "version", sticky_version(), "commands", commands,
			"options", describe_table());
	result = json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return result ? EXIT_FAILED : EXIT_DONE;
}
