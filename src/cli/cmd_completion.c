// SPDX-License-Identifier: MIT
/* Prints the completion scripts of shells, and the words that these scripts ask for. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/completion.h"
#include "common/exit_code.h"

/* The build makes these texts from completion.bash, completion.zsh and completion.fish. */
static const char bash_script[] =
#include "cli/completion.bash.h"
	;
static const char zsh_script[] =
#include "cli/completion.zsh.h"
	;
static const char fish_script[] =
#include "cli/completion.fish.h"
	;

static const struct {
	const char *shell;
	const char *script;
} scripts[] = {
	{"bash", bash_script},
	{"zsh", zsh_script},
	{"fish", fish_script},
};

static const char *find_script(const char *shell)
{
	size_t i;

	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (!strcmp(scripts[i].shell, shell))
			return scripts[i].script;
	return NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **script = state->input;

	if (key == ARGP_KEY_ARG && !*script) {
		*script = find_script(arg);
		if (!*script)
			argp_error(state, "'%s' is not one of: bash zsh fish", arg);
		return 0;
	}
	if (key == ARGP_KEY_END && !*script)
		argp_error(state, "which shell? write bash, zsh or fish");
	return command_parse_nothing(key, arg, state);
}

int command_completion(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "bash|zsh|fish",
		.doc = "Write the completion of a shell, for commands, options, their values, "
		       "instances and slots. 'make install' installs the same.",
	};
	const char *script = NULL;
	struct config config;

	command_parse(&argp, argc, argv, &script, &config);
	config_fini(&config);
	return fputs(script, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static void write_word(void *context, const char *word, const char *description)
{
	(void)context;
	printf("%s\t%s\n", word, description);
}

int command_complete_words(int argc, char **argv)
{
	if (argc > 1)
		completion_list(argv + 1, (size_t)argc - 1, write_word, NULL);
	return EXIT_DONE;
}
