// SPDX-License-Identifier: MIT
#include "node/command_advice.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "common/sanitize.h"
#include "node/node_command.h"

#define PATH_SIZE 4096

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words))
		words++;
	return *words != NULL;
}

static bool is_runner(const char *command)
{
	static const char *const runners[] = {"npm", "npx", "yarn", "pnpm", "pnpx", NULL};

	return is_one_of(base_name(command), runners);
}

static bool is_shell(const char *command)
{
	static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", NULL};

	return is_one_of(base_name(command), shells);
}

/* Returns the script's name, as in "npm start", "npm run web", "yarn web"; NULL: no script. */
static const char *script_of(char *const *command)
{
	const char *name = command[1];

	if (name && (!strcmp(name, "run") || !strcmp(name, "run-script")))
		return command[2];
	if (!name || *name == '-' || !strcmp(base_name(command[0]), "npx"))
		return NULL;
	if (!strcmp(base_name(command[0]), "npm") && strcmp(name, "start"))
		return NULL;
	return name;
}

/*
 * Returns the command that package.json has for a script, which the caller frees; NULL: there is
 * none.
 */
static char *read_script(const char *directory, const char *name)
{
	char path[PATH_SIZE];
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
	if (script)
		text_clean_line(script); /* the script is shown on a terminal */
	json_decref(package);
	return script;
}

/* Is the script "node server.js" or the like, without characters that a shell would interpret? */
static bool is_plain_node(const char *script)
{
	return (!strncmp(script, "node ", 5) || !strncmp(script, "nodejs ", 7)) &&
	       !strpbrk(script, "|&;<>()$`\\\"'*?\n");
}

static void say_instead(const char *script, struct error_text *error)
{
	if (script && is_plain_node(script))
		error_text_add(error, "name what it runs: stickyctl start -- %s", script);
	else if (script)
		error_text_add(error, "name what it runs, \"%s\", as node and its arguments",
			       script);
	else
		error_text_add(error, "name node itself: stickyctl start -- node server.js");
}

/* ---- Programs that start a script of Node.js --------------------------------------------- */

static const struct wrapper {
	const char *name;
	const char *what; /* what it does instead of running the application itself */
	const char *node; /* the command that runs a script as the wrapper does */
	bool may_listen;  /* with -l it is allowed, as it may be a server of another kind */
} wrappers[] = {
	{"nodemon",
	 "starts the application in a process of its own; 'stickyctl reload' restarts it", "node",
	 false},
	{"tsx", "starts the application in a process of its own", "node --import tsx", false},
	{"ts-node-dev", "starts the application in a process of its own",
	 "node -r ts-node/register", false},
	{"tsnd", "starts the application in a process of its own", "node -r ts-node/register",
	 false},
	{"pm2", "starts the application elsewhere; stickyctl takes its place", "node", false},
	{"pm2-runtime", "starts the application as its child; stickyctl takes its place", "node",
	 false},
	{"forever", "starts the application in a process of its own; stickyctl takes its place",
	 "node", false},
	{"bun", "is not Node.js, and can't be the worker of a Node.js cluster", "node", true},
	{"deno", "is not Node.js, and can't be the worker of a Node.js cluster", "node", true},
};

static const struct wrapper *find_wrapper(const char *command)
{
	size_t i;

	for (i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		if (!strcmp(base_name(command), wrappers[i].name))
			return &wrappers[i];
	return NULL;
}

static bool ends_with(const char *word, const char *end)
{
	size_t length = strlen(word), end_length = strlen(end);

	return length >= end_length && !strcmp(word + length - end_length, end);
}

static bool is_script(const char *word)
{
	static const char *const ends[] = {".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"};
	size_t i;

	/* This file is for pm2, and not the application. */
	if (strstr(word, ".config."))
		return false;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(word, ends[i]))
			return true;
	return false;
}

/* Name the script among the words, and its arguments. If there is no script, name an example. */
static void say_script(char *const *word, const char *node, struct error_text *error)
{
	while (*word && !is_script(*word))
		word++;
	if (!*word) {
		error_text_add(error, "name node itself: stickyctl start -- %s server.js", node);
		return;
	}
	error_text_add(error, "name what it runs: stickyctl start -- %s", node);
	for (; *word; word++)
		error_text_add(error, " %s", *word);
}

/* Is this `node --watch`? It runs the application in a child, which gets no channel. */
static bool is_watched(char *const *command)
{
	char *const *word = command + 1;

	if (!node_command_is_named_node(command[0]))
		return false;
	while (*word && (*word)[0] == '-' && strncmp(*word, "--watch", strlen("--watch")))
		word++;
	return *word && (*word)[0] == '-';
}

/* ---- The advice ------------------------------------------------------------------------ */

static void advise_on_runner(char *const *command, const char *directory, struct error_text *error)
{
	char *script = read_script(directory, script_of(command));

	error_text_set(error,
		       "%s starts the application in a process of its own, which gets none of the "
		       "sockets\n",
		       base_name(command[0]));
	say_instead(script, error);
	free(script);
}

static bool advise_on_shell(char *const *command, struct error_text *error)
{
	if (!is_shell(command[0]) || !command[1] || strcmp(command[1], "-c") || !command[2] ||
	    !strstr(command[2], "node "))
		return false;
	error_text_set(error, "%s is not the application: Node.js would be its child\n",
		       base_name(command[0]));
	say_instead(command[2], error);
	return true;
}

bool advice_of_command(char *const *command, const char *directory, bool has_address,
		       struct error_text *ret_error)
{
	const struct wrapper *wrapper = find_wrapper(command[0]);

	if (is_runner(command[0])) {
		advise_on_runner(command, directory, ret_error);
		return true;
	}
	if (is_watched(command)) {
		error_text_set(ret_error, "node --watch starts the application in a process of its "
					  "own; 'stickyctl reload' restarts it\n");
		say_script(command + 1, "node", ret_error);
		return true;
	}
	if (wrapper && (!wrapper->may_listen || !has_address)) {
		error_text_set(ret_error, "%s %s\n", wrapper->name, wrapper->what);
		say_script(command + 1, wrapper->node, ret_error);
		return true;
	}
	return !has_address && advise_on_shell(command, ret_error);
}
