// SPDX-License-Identifier: MIT
#include "node/instead.h"

#include <ctype.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sanitize.h"
#include "node/node_command.h"
#include "node/node_words.h"
#include "node/wrappers.h"

#define WORDS_MAX 64 /* a script of more words is shown as it is */
#define DEPTH_MAX 8  /* a script that runs itself ends here */

/* The parts of the line: stickyctl start[ --env-file FILE] --[ env NAME=VALUE] WORDS */
struct line {
	struct error_text options;
	struct error_text variables;
	struct error_text words;
	bool is_example;	  /* nothing names the application: the words are an example */
	struct error_text script; /* what only a shell understands; "": nothing */
	const char *directory;
	const char *path;
	int depth;
};

static void follow(struct line *line, char *const *word);

/* ---- Words --------------------------------------------------------------------------------- */

/* Add a word as a shell takes it. */
static void add_word(struct error_text *text, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_=+./:,@%^";
	bool is_plain = *word && strspn(word, plain) == strlen(word);

	error_text_add(text, is_plain ? " %s" : " '%s'", word);
}

static void add_words(struct error_text *text, char *const *word)
{
	for (; *word; word++)
		add_word(text, *word);
}

static bool is_assignment(const char *word)
{
	size_t name = strcspn(word, "=");

	return word[name] && name && !isdigit((unsigned char)word[0]) &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		       name;
}

static void say_example(struct line *line, const char *node)
{
	line->is_example = true;
	error_text_set(&line->words, " %s server.js", node);
}

/* ---- A text for a shell, as package.json has it -----------------------------------------------
 */

/* Only a shell understands a text with these characters. */
static bool is_plain_text(const char *text)
{
	return *text && !strpbrk(text, "|&;<>()$`\\\"'*?~#\n");
}

static void follow_text(struct line *line, const char *text)
{
	char *copy = strdup(text), *words[WORDS_MAX + 1], *rest = NULL, *word;
	size_t count = 0;

	if (!copy)
		return;
	text_clean_line(copy); /* the text is shown on a terminal */
	error_text_set(&line->script, "%s", copy);
	word = is_plain_text(text) ? strtok_r(copy, " \t", &rest) : NULL;
	for (; word && count < WORDS_MAX; word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	words[count] = NULL;
	if (count && !word) {
		line->script.text[0] = '\0';
		follow(line, words + (count > 1 && !strcmp(words[0], "exec")));
	}
	free(copy);
}

/* ---- npm, npx, yarn, pnpm ---------------------------------------------------------------------
 */

/*
 * Returns the command that package.json has for a script, which the caller frees; NULL: there is
 * none.
 */
static char *read_script(const char *directory, const char *name)
{
	char path[PATH_MAX];
	const char *text;
	json_t *package;
	char *script;

	if (!name ||
	    snprintf(path, sizeof(path), "%s/package.json", directory) >= (int)sizeof(path))
		return NULL;
	package = json_load_file(path, 0, NULL);
	text = json_string_value(json_object_get(json_object_get(package, "scripts"), name));
	/* For `start`, npm runs this if package.json has no such script. */
	if (package && !text && !strcmp(name, "start"))
		text = "node server.js";
	script = text ? strdup(text) : NULL;
	json_decref(package);
	return script;
}

/* Follow a script of package.json. Returns false if there is none of this name. */
static bool follow_script(struct line *line, const char *name)
{
	char *script = read_script(line->directory, name);

	if (!script)
		return false;
	follow_text(line, script);
	free(script);
	return true;
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (word && *words && strcmp(word, *words))
		words++;
	return word && *words;
}

/* Skip the options of a runner, some of which have a value in the next word. */
static char *const *skip_options(char *const *word)
{
	static const char *const with_value[] = {"-p",	     "-C",	    "-w", "--package",
						 "--prefix", "--workspace", NULL};

	while (*word && (*word)[0] == '-') {
		bool ends = !strcmp(*word, "--");

		word += is_one_of(*word, with_value) && word[1] ? 2 : 1;
		if (ends)
			break;
	}
	return word;
}

/* Follow what `npx next start` and `npm exec next start` run: a program of node_modules. */
static void follow_package(struct line *line, char *const *word)
{
	static const char *const calls[] = {"-c", "--call", "--shell-mode", NULL};
	char program[PATH_MAX], *words[WORDS_MAX + 1];
	size_t count = 0;

	if (is_one_of(*word, calls) && word[1]) {
		follow_text(line, word[1]);
		return;
	}
	word = skip_options(word);
	if (!*word) {
		say_example(line, "node");
		return;
	}
	snprintf(program, sizeof(program), "node_modules/.bin/%s", *word);
	words[count++] = strchr(*word, '/') || node_command_is_named_node(*word) ||
					 wrapper_find(*word) || wrapper_is_runner(*word) ||
					 wrapper_is_shell(*word)
				 ? *word
				 : program;
	while (*++word && count < WORDS_MAX)
		words[count++] = *word;
	words[count] = NULL;
	follow(line, words);
}

static void follow_runner(struct line *line, char *const *command)
{
	static const char *const runs[] = {"run", "run-script", NULL};
	static const char *const execs[] = {"exec", "x", "dlx", NULL};
	const char *name = wrapper_base_name(command[0]);
	char *const *word = skip_options(command + 1);
	bool is_npm = !strcmp(name, "npm");

	if (!strcmp(name, "npx") || !strcmp(name, "pnpx")) {
		follow_package(line, command + 1);
	} else if (is_one_of(*word, execs)) {
		follow_package(line, word + 1);
	} else if (is_one_of(*word, runs) && word[1]) {
		if (!follow_script(line, word[1]))
			is_npm ? say_example(line, "node") : follow_package(line, word + 1);
	} else if (!*word || (is_npm && strcmp(*word, "start"))) {
		say_example(line, "node");
	} else if (!follow_script(line, *word)) {
		/* `yarn next start` runs a program of node_modules. */
		is_npm ? say_example(line, "node") : follow_package(line, word);
	}
}

/* ---- Wrappers ------------------------------------------------------------------------------ */

/* Does an option of dotenv, dotenvx or env-cmd name the file? */
static bool names_file(const char *option)
{
	static const char *const options[] = {"-e", "-f", "--env-file", "--file", NULL};

	return is_one_of(option, options);
}

/* Skip `run` of dotenvx, the options, and the file that old versions of env-cmd take first. */
static char *const *skip_file_options(struct line *line, char *const *word)
{
	const char *file = NULL;

	while (*word && ((*word)[0] == '-' || !strcmp(*word, "run") ||
			 !strncmp(*word, ".env", strlen(".env")))) {
		bool ends = !strcmp(*word, "--");

		if (names_file(*word) && word[1])
			file = *++word;
		else if ((*word)[0] == '.')
			file = *word;
		word++;
		if (ends)
			break;
	}
	if (line) {
		error_text_add(&line->options, " --env-file");
		add_word(&line->options, file ? file : ".env");
	}
	return word;
}

char *const *instead_behind_variables(char *const *command)
{
	const struct wrapper *wrapper = wrapper_find(command[0]);
	char *const *word = command + 1;

	if (!wrapper || wrapper->sets == SETS_NOTHING)
		return NULL;
	if (wrapper->sets == SETS_FILE)
		word = skip_file_options(NULL, word);
	while (*word && is_assignment(*word))
		word++;
	return *word ? word : NULL;
}

/* Follow the script among the words, and its arguments. */
static void follow_wrapped_script(struct line *line, const struct wrapper *wrapper,
				  char *const *word)
{
	while (*word && !node_words_is_script_name(*word))
		word++;
	if (!*word) {
		say_example(line, wrapper->node);
		return;
	}
	error_text_set(&line->words, " %s", wrapper->node);
	add_words(&line->words, word);
}

static void follow_wrapper(struct line *line, const struct wrapper *wrapper, char *const *word)
{
	if (wrapper->sets == SETS_NOTHING) {
		follow_wrapped_script(line, wrapper, word);
		return;
	}
	if (wrapper->sets == SETS_FILE)
		word = skip_file_options(line, word);
	follow(line, word);
}

/* ---- Node.js itself -------------------------------------------------------------------------- */

/* Follow the words of Node.js, but for its watch mode and for code that is no file. */
static void follow_node(struct line *line, char *const *command)
{
	char *const *word = command + 1, *const *script = node_words_script(word);
	const char *run = node_words_run(word);

	if (run) {
		if (!follow_script(line, run))
			say_example(line, command[0]);
		return;
	}
	if (!script || node_words_lack_file(word)) {
		say_example(line, command[0]);
		return;
	}
	error_text_set(&line->words, " %s", command[0]);
	for (; word < script; word++) {
		int count = node_words_of_option(*word);
		bool is_shown = !node_words_is_watch(*word);

		if (is_shown)
			add_word(&line->words, *word);
		if (count == 2 && word + 1 < script) {
			word++;
			if (is_shown)
				add_word(&line->words, *word);
		}
	}
	add_words(&line->words, script);
}

/* ---- All of them ---------------------------------------------------------------------------- */

static bool is_shell_call(char *const *word)
{
	return wrapper_is_shell(word[0]) && word[1] && !strcmp(word[1], "-c") && word[2];
}

/* A program of node_modules is found by npm alone. */
static void say_program(struct line *line, char *const *word)
{
	char file[PATH_MAX];

	if (!strchr(*word, '/') && !node_command_find(*word, line->directory, line->path, file))
		error_text_set(&line->words, " node_modules/.bin/%s", *word++);
	add_words(&line->words, word);
}

static void follow(struct line *line, char *const *word)
{
	char *const *program = node_command_program(word);
	const struct wrapper *wrapper;

	for (word += program > word; word < program; word++)
		add_word(&line->variables, *word);
	for (; *word && is_assignment(*word); word++)
		add_word(&line->variables, *word);
	wrapper = *word ? wrapper_find(*word) : NULL;
	if (!*word || ++line->depth > DEPTH_MAX)
		say_example(line, "node");
	else if (wrapper_is_runner(*word))
		follow_runner(line, word);
	else if (wrapper)
		follow_wrapper(line, wrapper, word + 1);
	else if (is_shell_call(word))
		follow_text(line, word[2]);
	else if (node_command_is_named_node(*word))
		follow_node(line, word);
	else if (node_words_is_script_name(*word)) {
		error_text_set(&line->words, " node");
		add_words(&line->words, word);
	} else
		say_program(line, word);
}

void instead_add(char *const *command, const char *directory, const char *path,
		 struct error_text *text)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return;
	line->directory = directory;
	line->path = path;
	follow(line, command);
	if (line->script.text[0])
		error_text_add(text, "name what it runs, \"%s\", as node and its arguments",
			       line->script.text);
	else
		error_text_add(text, "name %s: stickyctl start%s --%s%s%s",
			       line->is_example ? "node itself" : "what it runs",
			       line->options.text, line->variables.text[0] ? " env" : "",
			       line->variables.text, line->words.text);
	free(line);
}
