// SPDX-License-Identifier: MIT
#include "check/check_print.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "config/setting_text.h"
#include "procfs/cpu_count.h"
#include "state/rundir.h"
#include "state/seed.h"

#define VALUE_WIDTH 38 /* width of the value's column; the origin follows it */
#define CHOICE_SIZE PATH_MAX

/* Returns true if YAML reads the word without quotes, as a text or a plain number. */
static bool is_plain(const char *text)
{
	return *text && *text != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") ==
		       strlen(text);
}

/*
 * Write a word for YAML. A word that needs quotes is written as a string of JSON, which YAML reads.
 */
static void write_word(const char *text, FILE *stream)
{
	json_t *json = is_plain(text) ? NULL : json_string(text);

	if (json)
		json_dumpf(json, stream, JSON_ENCODE_ANY);
	else
		fputs(text, stream);
	json_decref(json);
}

static void write_words(char *const *words, FILE *stream)
{
	size_t i;

	putc('[', stream);
	for (i = 0; words && words[i]; i++) {
		fputs(i ? ", " : "", stream);
		write_word(words[i], stream);
	}
	putc(']', stream);
}

/* Write the names of NAME=VALUE without the values. */
static void write_names(const struct string_list *list, FILE *stream)
{
	size_t i;

	fputs("# env: values are not shown:", stream);
	for (i = 0; i < list->count; i++)
		fprintf(stream, " %.*s", (int)strcspn(list->items[i], "="), list->items[i]);
}

static bool find_directory(const char *name, const char *option, char text[CHOICE_SIZE])
{
	return (!strcmp(option, "run-dir") && !rundir_locate(NULL, name, text)) ||
	       (!strcmp(option, "state-dir") && !seed_locate(NULL, name, text));
}

/* Cut the instance's name off the end of a path. */
static void cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

/* Write the first part of the rule for the default. The help text has the whole rule. */
static void write_rule(const struct config_option *option, char text[CHOICE_SIZE])
{
	setting_default(option, CHOICE_SIZE, text);
	text[strcspn(text, ";")] = '\0';
}

/* Write the value that stickyctl chooses where none is given. */
static void write_choice(const struct config *config, const struct config_option *option,
			 FILE *stream)
{
	char text[CHOICE_SIZE] = "";

	if (!strcmp(option->doc.name, "workers"))
		snprintf(text, sizeof(text), "%u", cpus_usable());
	else if (!strcmp(option->doc.name, "dispatchers"))
		snprintf(text, sizeof(text), "%u", cpus_usable() < 4 ? cpus_usable() : 4);
	else if (find_directory(config->name, option->doc.name, text))
		cut_name(text);
	if (!text[0])
		write_rule(option, text);
	fprintf(stream, "%s", text[0] ? text : "none");
}

static void write_value(const struct config *config, const struct config_option *option,
			const char *name, FILE *stream)
{
	char text[RUNDIR_PATH_SIZE];

	if (option_is_list(option) && setting_list(config, option)->count) {
		if (option->kind == KIND_ASSIGNMENTS) {
			write_names(setting_list(config, option), stream);
			return;
		}
		fprintf(stream, "%s: ", name);
		write_words(setting_list(config, option)->items, stream);
	} else if (setting_text(config, option, sizeof(text), text)) {
		fprintf(stream, "%s: ", name);
		write_word(text, stream);
	} else {
		fprintf(stream, "# %s: ", name);
		write_choice(config, option, stream);
	}
}

static void write_line(const char *text, const char *origin, FILE *stream)
{
	fprintf(stream, "%-*s # %s\n", VALUE_WIDTH, text, origin);
}

static void print_option(const struct config *config, const struct origins *origins,
			 const struct config_option *option, FILE *stream)
{
	char name[OPTION_SPELLED_SIZE], origin[ORIGIN_TEXT_SIZE];
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	option_spell(option, name);
	write_value(config, option, name, memory);
	fclose(memory);
	origin_describe(origins, option, origin);
	write_line(text, origin, stream);
	free(text);
}

static void print_command(const struct config *config, const struct origins *origins, FILE *stream)
{
	char origin[ORIGIN_TEXT_SIZE] = "default";
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	fputs(config->command ? "command: " : "# command: none, the demo", memory);
	if (config->command)
		write_words(config->command, memory);
	fclose(memory);
	if (origins->sources->command)
		snprintf(origin, sizeof(origin), "command line");
	else if (config->command)
		snprintf(origin, sizeof(origin), "%.200s:%zu", origins->file,
			 origins->report->command.line);
	write_line(text, origin, stream);
	free(text);
}

void check_print(const struct config *config, const struct origins *origins, FILE *stream)
{
	const struct config_option *option;
	size_t i;

	for (i = 0; (option = option_at(i)); i++)
		if (option->doc.key != 'c')
			print_option(config, origins, option, stream);
	print_command(config, origins, stream);
}
