// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "check/check_files.h"
#include "check/check_print.h"
#include "check/check_schema.h"
#include "cli/command.h"
#include "cli/start.h"
#include "common/exit_code.h"
#include "config/contradictions.h"
#include "config/file_report.h"

enum { KEY_PRINT = 'P' + 512, KEY_SCHEMA };

struct check {
	struct start_line line;
	bool print;
	bool schema;
	struct config config;
	struct file_report report; /* its list has all mistakes */
	struct problems notes;
	int mistaken; /* the exit code, if there are mistakes */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct check *check = state->input;

	if (key == KEY_PRINT)
		check->print = true;
	else if (key == KEY_SCHEMA)
		check->schema = true;
	else
		return start_line_parse(&check->line, key, arg, state);
	return 0;
}

/* Returns true if the command line has more than the choice of an instance. */
static bool has_options(const struct config_sources *sources)
{
	size_t i;

	for (i = 0; i < sources->given_count; i++)
		if (!option_by_key(sources->given[i].key)->doc.every_command)
			return true;
	return sources->command != NULL;
}

/*
 * Refuse a `check` that names nothing to check, or an instance without a file: the name may be
 * misspelt. Returns EXIT_DONE if there is something to check.
 */
static int refuse_nothing(const struct check *check)
{
	if (check->config.file || check->print || has_options(&check->line.sources))
		return EXIT_DONE;
	if (!strcmp(check->config.name, "default")) {
		fputs("stickyctl: which file? name one by -c FILE, or an instance by -n NAME "
		      "for " SOURCES_DIRECTORY "/NAME.yaml\n",
		      stderr);
		return EXIT_USAGE;
	}
	fprintf(stderr,
		"stickyctl: there is no file " SOURCES_DIRECTORY "/%s.yaml\n"
		"name the file by -c FILE\n",
		check->config.name);
	return EXIT_BAD_CONFIG;
}

static void find_mistakes(struct check *check, const struct origins *origins)
{
	struct problems *mistakes = &check->report.problems;

	contradictions_find(&check->config, origins, mistakes, &check->notes);
	check_files(&check->config, origins, mistakes, &check->notes);
	if (check->config.file && start_lacks_command(&check->config) &&
	    !check->report.command.line)
		problems_add(&check->notes,
			     "%s names no command: add 'command: [PROGRAM, ARGUMENT]', or write it "
			     "behind -- at the start",
			     check->config.file);
}

static void tell(const char *prefix, const struct problems *problems)
{
	size_t i;

	for (i = 0; i < problems->texts.count; i++)
		fprintf(stderr, "%s%s\n", prefix, problems->texts.items[i]);
	if (problems->more)
		fprintf(stderr, "and %zu more\n", problems->more);
}

static int judge(const struct check *check)
{
	const char *what = check->config.file ? check->config.file : "the command line";
	size_t count = problems_count(&check->report.problems);

	tell("", &check->report.problems);
	tell("note: ", &check->notes);
	if (count) {
		fprintf(stderr, "stickyctl: %s: %zu mistake%s\n", what, count,
			count == 1 ? "" : "s");
		return check->mistaken;
	}
	if (!check->print)
		printf("%s: no mistakes\n", what);
	return EXIT_DONE;
}

static int print_schema(void)
{
	json_t *schema = check_schema();
	bool is_written =
		schema && !json_dumpf(schema, stdout, JSON_INDENT(2)) && putchar('\n') != EOF;

	json_decref(schema);
	if (!is_written)
		fputs("stickyctl: the schema can't be written\n", stderr);
	return is_written ? EXIT_DONE : EXIT_FAILED;
}

static int look(struct check *check)
{
	struct origins origins = {.sources = &check->line.sources, .report = &check->report};
	int error = sources_read(&check->line.sources, &check->config, &check->report), refused;
	bool is_read = !error || error == -EBADMSG || error == -EINVAL;

	origins.file = check->config.file;
	check->mistaken = error == -EINVAL ? EXIT_USAGE : EXIT_BAD_CONFIG;
	refused = is_read && error != -EINVAL ? refuse_nothing(check) : EXIT_DONE;
	if (refused)
		return refused;
	if (is_read)
		find_mistakes(check, &origins);
	if (is_read && check->print)
		check_print(&check->config, &origins, stdout);
	return judge(check);
}

const struct argp_option command_check_options[] = {
	{.name = "print",
	 .key = KEY_PRINT,
	 .doc = "Show what would be in force, and where each value comes from"},
	{.name = "schema",
	 .key = KEY_SCHEMA,
	 .doc = "Show a JSON schema of the file, for editors, and do nothing else"},
	{.name = "config",
	 .key = 'c',
	 .arg = "FILE",
	 .doc = "The file (/etc/sticky/NAME.yaml, if -n is given)"},
	{0},
};

#define OWN_COUNT (sizeof(command_check_options) / sizeof(command_check_options[0]) - 1)

int command_check(int argc, char **argv)
{
	struct argp_option options[START_OPTIONS_MAX + OWN_COUNT];
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[-- COMMAND [ARG...]]",
		.doc = "Show all mistakes of a configuration file, with line and column, and what "
		       "it names that is not there. Takes the options of 'stickyctl start', too, "
		       "and the environment. Nothing is started. Exit code 0; 78 if there is a "
		       "mistake, 2 if all are in options or variables; a note is none.",
	};
	struct check check = {0};
	int result;

	memcpy(options, command_check_options, OWN_COUNT * sizeof(options[0]));
	start_line_options(OPTION_HIDDEN, options + OWN_COUNT);
	command_parse_sources(&argp, argc, argv, &check, &check.line.scratch, &check.line.sources);
	result = check.schema ? print_schema() : look(&check);
	config_fini(&check.config);
	problems_fini(&check.report.problems);
	problems_fini(&check.notes);
	start_line_fini(&check.line);
	return result;
}
