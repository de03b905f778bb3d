// SPDX-License-Identifier: MIT
#include "node/command_advice.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "common/sanitize.h"

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

bool advice_is_runner(const char *command)
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

/* Returns the command that package.json has for a script; freed by the caller; NULL: none. */
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
	/* npm runs this for `start` if package.json has no such script. */
	if (package && !text && !strcmp(name, "start"))
		text = "node server.js";
	script = text ? strdup(text) : NULL;
	if (script)
		text_clean_line(script); /* it is shown on a terminal */
	json_decref(package);
	return script;
}

/* Is it "node server.js" or the like, without characters that a shell would interpret? */
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

bool advice_of_command(char *const *command, const char *directory, struct error_text *ret_error)
{
	char *script;

	if (advice_is_runner(command[0])) {
		error_text_set(
			ret_error,
			"%s starts the application in a process of its own, which gets none of "
			"the sockets\n",
			base_name(command[0]));
		script = read_script(directory, script_of(command));
		say_instead(script, ret_error);
		free(script);
		return true;
	}
	if (!is_shell(command[0]) || !command[1] || strcmp(command[1], "-c") || !command[2] ||
	    !strstr(command[2], "node "))
		return false;
	error_text_set(ret_error, "%s is not the application: Node.js would be its child\n",
		       base_name(command[0]));
	say_instead(command[2], ret_error);
	return true;
}
