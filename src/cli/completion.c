// SPDX-License-Identifier: MIT
#include "cli/completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "cli/command.h"
#include "client/instances.h"
#include "common/json_fields.h"
#include "common/exit_code.h"
#include "config/options.h"

#define ANSWER_S	1  /* seconds that an instance may take to name its slots */
#define DESCRIPTION_MAX 60 /* characters of an option's description */

/* A completion that is under way. */
struct completion {
	char *const *words;
	size_t count;
	const struct command *command;
	const char *begun;    /* the part of the last word that candidates begin with */
	struct config config; /* the instance that the command line selects */
	completion_fn *fn;
	void *context;
};

/* An option of a command, from the table of options or from the command's own. */
struct shown_option {
	const char *name;
	int key;
	const char *arg;  /* NULL: the option takes no value */
	bool is_optional; /* the value can be left out, or stands behind '=' */
	const char *doc;
	const struct config_option *option; /* NULL: the option is not in the table */
};

static void offer(const struct completion *completion, const char *word, const char *description)
{
	if (word[0] == ':' || !strncmp(word, completion->begun, strlen(completion->begun)))
		completion->fn(completion->context, word, description);
}

/* ---- The options of a command ----------------------------------------------------------- */

static bool show_own(const struct argp_option *own, struct shown_option *ret_shown)
{
	if (!own || !own->name)
		return false;
	*ret_shown = (struct shown_option){
		.name = own->name,
		.key = own->key,
		.arg = own->arg,
		.is_optional = own->flags & OPTION_ARG_OPTIONAL,
		.doc = own->doc,
	};
	return true;
}

static void show_of_table(const struct config_option *option, struct shown_option *ret_shown)
{
	*ret_shown = (struct shown_option){
		.name = option->doc.name,
		.key = option->doc.key,
		.arg = option->doc.arg,
		.doc = option->doc.doc,
		.option = option,
	};
}

static size_t count_own(const struct command *command)
{
	size_t count = 0;

	while (command->options && command->options[count].name)
		count++;
	return count;
}

/* Returns true if a command has an option of the table, and no option of its own in place of it. */
static bool is_of_table(const struct command *command, const struct config_option *option)
{
	size_t i;

	for (i = 0; i < count_own(command); i++)
		if (command->options[i].key == option->doc.key)
			return false;
	return option->doc.every_command || command->takes_start_options;
}

/* Get an option of a command by its index. Returns false behind the last option. */
static bool option_of(const struct command *command, size_t index, struct shown_option *ret_shown)
{
	static const struct argp_option help = {
		.name = "help", .key = '?', .doc = "Show this help"};
	const struct config_option *option;
	size_t own = count_own(command), i;

	if (index < own)
		return show_own(&command->options[index], ret_shown);
	index -= own;
	for (i = 0; (option = option_at(i)); i++) {
		if (is_of_table(command, option) && !index--) {
			show_of_table(option, ret_shown);
			return true;
		}
	}
	return !index && show_own(&help, ret_shown);
}

/* Find the option of a word: "--name", "--name=VALUE", "-n", "-nVALUE". */
static bool find_option(const struct command *command, const char *word,
			struct shown_option *ret_shown)
{
	bool is_long = !strncmp(word, "--", 2);
	size_t length = is_long ? strcspn(word + 2, "=") : 0, i;

	for (i = 0; option_of(command, i, ret_shown); i++)
		if (is_long ? strlen(ret_shown->name) == length &&
				      !strncmp(ret_shown->name, word + 2, length)
			    : ret_shown->key == word[1])
			return true;
	return false;
}

/* Returns true if the next word is the value of this one. */
static bool wants_value(const struct command *command, const char *word)
{
	struct shown_option shown;
	bool is_long = !strncmp(word, "--", 2);

	if (word[0] != '-' || !word[1] || (is_long ? strchr(word, '=') != NULL : word[2] != '\0'))
		return false;
	return find_option(command, word, &shown) && shown.arg && !shown.is_optional;
}

/* Copy the beginning of an option's documentation. */
static void shorten(const char *doc, char ret_text[DESCRIPTION_MAX + 1])
{
	size_t length = strcspn(doc, ";:(\n");

	if (length > DESCRIPTION_MAX)
		for (length = DESCRIPTION_MAX; length > 0 && doc[length] != ' '; length--)
			;
	while (length > 0 && strchr(" ,", doc[length - 1]))
		length--;
	snprintf(ret_text, DESCRIPTION_MAX + 1, "%.*s", (int)length, doc);
}

static void offer_options(const struct completion *completion)
{
	char word[OPTION_SPELLED_SIZE], description[DESCRIPTION_MAX + 1];
	struct shown_option shown;
	size_t i;

	for (i = 0; option_of(completion->command, i, &shown); i++) {
		snprintf(word, sizeof(word), "--%s", shown.name);
		shorten(shown.doc, description);
		offer(completion, word, description);
	}
}

/* ---- Values --------------------------------------------------------------------------- */

static void offer_words(const struct completion *completion, const char *words,
			const char *separator)
{
	char word[64];

	while (*words) {
		size_t length = strcspn(words, separator);

		snprintf(word, sizeof(word), "%.*s", (int)length, words);
		offer(completion, word, "");
		words += length + (words[length] != '\0');
	}
}

static void offer_instances(const struct completion *completion)
{
	struct found_instances found;
	char user[64], description[96];
	size_t i;

	instances_find(completion->config.run_dir, &found);
	for (i = 0; i < found.count; i++) {
		instances_user(found.list[i].uid, sizeof(user), user);
		snprintf(description, sizeof(description), "instance of %s", user);
		offer(completion, found.list[i].name, description);
	}
	instances_fini(&found);
}

static void offer_slots(const struct completion *completion)
{
	char word[24], description[96];
	json_t *status = NULL, *worker;
	size_t i;

	if (client_ask_quietly(&completion->config, "/v1/status", ANSWER_S, &status))
		return;
	json_array_foreach(json_object_get(status, "workers"), i, worker)
	{
		snprintf(word, sizeof(word), "%llu", field_number(worker, "slot"));
		snprintf(description, sizeof(description), "%.32s, pid %llu",
			 field_text(worker, "state"), field_number(worker, "pid"));
		offer(completion, word, description);
	}
	json_decref(status);
}

static void offer_commands(const struct completion *completion)
{
	const struct command *command;
	size_t i;

	for (i = 0; (command = command_at(i)); i++)
		offer(completion, command->name, command->summary);
}

/* Offer a kind of value, such as files, for the name that the help gives the value. */
static void offer_by_name(const struct completion *completion, const char *arg)
{
	if (!strcmp(arg, "FILE"))
		offer(completion, ":files", "");
	else if (!strcmp(arg, "DIR"))
		offer(completion, ":dirs", "");
	else if (!strncmp(arg, "USER", 4))
		offer(completion, ":users", "");
	else if (!strcmp(arg, "SLOT"))
		offer_slots(completion);
	else if (arg[0] >= 'a' && arg[0] <= 'z')
		offer_words(completion, arg, "|");
}

static void offer_values(const struct completion *completion, const struct shown_option *shown)
{
	const struct config_option *option = shown->option;

	if (option && option->kind == KIND_CHOICE)
		offer_words(completion, option->choices, " ");
	else if (option && option->kind == KIND_WORKER)
		offer_words(completion,
			    "auto activation bind node node:sticky-listen node:sticky-cluster",
			    " ");
	else if (option && option->kind == KIND_NAME)
		offer_instances(completion);
	else if (shown->arg)
		offer_by_name(completion, shown->arg);
}

/* ---- The command line -------------------------------------------------------------------- */

/* Set the instance's name and directory as the words say. A wrong value leaves the default. */
static void select_instance(struct completion *completion)
{
	struct error_text ignored;
	struct shown_option shown;
	size_t i;

	for (i = 1; i + 1 < completion->count; i++) {
		const char *word = completion->words[i], *equals = strchr(word, '=');
		const char *value = wants_value(completion->command, word) ? completion->words[++i]
				    : equals				   ? equals + 1
									   : NULL;

		if (value && word[0] == '-' && find_option(completion->command, word, &shown) &&
		    shown.option && shown.option->doc.every_command)
			config_set(&completion->config, shown.key, value, "", &ignored);
	}
	if (!completion->config.name)
		completion->config.name = strdup("default");
}

/*
 * Returns the index of the first word of the worker's command, with `start`; 0: there is none yet.
 */
static size_t find_worker_command(const struct completion *completion)
{
	size_t i;

	if (!completion->command->takes_start_options)
		return 0;
	for (i = 1; i < completion->count; i++) {
		const char *word = completion->words[i];

		if (!strcmp(word, "--") && i + 1 < completion->count)
			return i + 1;
		if (word[0] != '-')
			return i;
		i += wants_value(completion->command, word);
	}
	return 0;
}

static void offer_arguments(const struct completion *completion)
{
	const char *arguments = completion->command->arguments;

	if (completion->command->run == command_help)
		offer_commands(completion);
	else if (strstr(arguments, "SLOT"))
		offer_slots(completion);
	else if (completion->command->run == command_completion)
		offer_words(completion, arguments, "|");
}

static void complete(struct completion *completion)
{
	const char *last = completion->words[completion->count - 1];
	const char *previous = completion->words[completion->count - 2];
	size_t worker = find_worker_command(completion);
	struct shown_option shown;

	if (worker) {
		offer(completion, worker == completion->count - 1 ? ":commands" : ":files", "");
	} else if (wants_value(completion->command, previous)) {
		if (find_option(completion->command, previous, &shown))
			offer_values(completion, &shown);
	} else if (!strncmp(last, "--", 2) && strchr(last, '=')) {
		completion->begun = strchr(last, '=') + 1;
		if (find_option(completion->command, last, &shown))
			offer_values(completion, &shown);
	} else if (last[0] == '-') {
		offer_options(completion);
	} else {
		offer_arguments(completion);
	}
}

void completion_list(char *const *words, size_t count, completion_fn *fn, void *context)
{
	struct completion completion = {
		.words = words,
		.count = count,
		.begun = words[count - 1],
		.fn = fn,
		.context = context,
	};
	struct problems ignored = {0};

	if (count == 1) {
		offer_commands(&completion);
		return;
	}
	completion.command = command_find(words[0]);
	if (!completion.command || !completion.command->summary)
		return;
	config_init(&completion.config);
	config_set_from_environment(&completion.config, environ, &ignored);
	problems_fini(&ignored);
	select_instance(&completion);
	if (completion.config.name)
		complete(&completion);
	config_fini(&completion.config);
}
