// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/misspelt.h"
#include "config/options.h"
#include "config/suggestion.h"
#include "common/error_text.h"
#include "common/exit_code.h"

static const struct command commands[] = {
	{"start", "[-- COMMAND...]", "Run COMMAND as workers, or the demo", command_start,
	 "  stickyctl start -w 4 -- node server.js\n  stickyctl start -l :8000 -w 4 -- gunicorn "
	 "app:application",
	 NULL, true},
	{"status", "", "Show the instance and its workers", command_status,
	 "  stickyctl status --watch\n  stickyctl status -n web --ready && echo all are ready",
	 command_status_options, false},
	{"top", "", "Show the status on the whole terminal", command_top,
	 "  stickyctl top\n  stickyctl top -n web", NULL, false},
	{"list", "", "Show the instances that run", command_list,
	 "  stickyctl list\n  stickyctl list --json", command_list_options, false},
	{"reload", "", "Replace the workers, losing no connection", command_reload,
	 "  stickyctl reload --wait\n  stickyctl reload -n web --wait=drained",
	 command_reload_options, false},
	{"scale", "N|+N|-N", "Change the number of workers", command_scale,
	 "  stickyctl scale 8\n  stickyctl scale -n web +1", NULL, false},
	{"drain", "SLOT", "End a slot's worker, and start no other", command_drain,
	 "  stickyctl drain 2\n  stickyctl drain -n web 0", NULL, false},
	{"ready", "SLOT", "Bring a drained or failed slot back", command_ready,
	 "  stickyctl ready 2\n  stickyctl ready -n web 0", NULL, false},
	{"restart", "SLOT", "Replace one slot's worker", command_restart,
	 "  stickyctl restart 2\n  stickyctl restart -n web 0", NULL, false},
	{"upgrade", "", "Replace the controller by a newer version", command_upgrade,
	 "  stickyctl upgrade\n  stickyctl upgrade -n web", NULL, false},
	{"events", "", "Show the last events, and follow new ones", command_events,
	 "  stickyctl events --follow\n  stickyctl events -n web --json | tail -1",
	 command_events_options, false},
	{"logs", "[SLOT]", "Show what the workers have printed", command_logs,
	 "  stickyctl logs --follow\n  stickyctl logs 2 --lines 20 --time", command_logs_options,
	 false},
	{"stop", "", "Stop the workers, then the instance", command_stop,
	 "  stickyctl stop\n  stickyctl stop -n web --now", command_stop_options, false},
	{"where", "ADDRESS", "Show which worker a client goes to", command_where,
	 "  stickyctl where 203.0.113.9\n  stickyctl where -n web --json 2001:db8::1",
	 command_where_options, false},
	{"clients", "", "Show who has the most open connections", command_clients,
	 "  stickyctl clients --limit 5\n  stickyctl clients -n web --slot 2 --json",
	 command_clients_options, false},
	{"metrics", "", "Show the metrics, as Prometheus reads them", command_metrics,
	 "  stickyctl metrics\n  stickyctl metrics -n web | grep held", NULL, false},
	{"check", "", "Show all mistakes of a configuration file", command_check,
	 "  stickyctl check -c web.yaml\n  stickyctl check -n web --print", command_check_options,
	 true},
	{"doctor", "", "Check what this machine can do, and lacks", command_doctor,
	 "  stickyctl doctor\n  sudo stickyctl doctor --verbose", command_doctor_options, false},
	{"completion", "bash|zsh|fish", "Write the completion of a shell", command_completion,
	 "  eval \"$(stickyctl completion bash)\"\n"
	 "  stickyctl completion fish > ~/.config/fish/completions/stickyctl.fish",
	 NULL, false},
	{"version", "", "Show the version", command_version,
	 "  stickyctl version\n  stickyctl --version", NULL, false},
	{"help", "[COMMAND]", "Show the commands, or the options of one", command_help,
	 "  stickyctl help start\n  stickyctl status --help", NULL, false},
};

/*
 * Commands that are not for users: see bind/keeper_process.h, process/filter_exec.h,
 * controller/upgrade_trial.h, completion.h, cmd_describe.c.
 */
static const struct command internal[] = {
	{.name = "bind-keeper", .run = command_bind_keeper},
	{.name = "bind-exec", .run = command_bind_exec},
	{.name = "upgrade-check", .run = command_upgrade_check},
	{.name = "complete-words", .run = command_complete_words},
	{.name = "describe", .run = command_describe},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct command *command_at(size_t index)
{
	return index < COMMAND_COUNT ? &commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	for (i = 0; i < sizeof(internal) / sizeof(internal[0]); i++)
		if (!strcmp(internal[i].name, name))
			return &internal[i];
	return NULL;
}

/*
 * Find the nearest command. A short word is near to many: at most half of its letters may be
 * mistakes.
 */
static const struct command *find_nearest(const char *word)
{
	const struct command *nearest = NULL;
	size_t length = strlen(word), best = SUGGESTION_NEAR + 1, i;

	for (i = 0; i < COMMAND_COUNT; i++) {
		size_t distance = suggestion_distance(word, length, commands[i].name);

		if (distance < best && 2 * distance <= length) {
			best = distance;
			nearest = &commands[i];
		}
	}
	return nearest;
}

int command_refuse(const char *word)
{
	const struct command *nearest = find_nearest(word);

	if (nearest)
		fprintf(stderr, "stickyctl: no such command: %.100s; did you mean '%s'?\n", word,
			nearest->name);
	else
		fprintf(stderr, "stickyctl: no such command: %.100s\n", word);
	fputs("'stickyctl help' shows the commands\n", stderr);
	return EXIT_USAGE;
}

error_t command_parse_nothing(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "'%s' is one argument too many", arg);
	return EINVAL;
}

/* ---- -n and --run-dir, which every command has ----------------------------------- */

#define SHARED_MAX 8

enum { KEY_HELP = '?', KEY_USAGE = 1 << 16 };

/* The input of the parsers. The parser of a command gives each child parser its input. */
struct inputs {
	const struct argp *own;
	void *own_input;
	struct config *config;
	struct config_sources *sources; /* NULL: the options are not read again later */
	const struct command *command;
};

void command_take(struct config *config, struct config_sources *sources, int key, const char *value,
		  struct argp_state *state)
{
	char origin[64];
	struct error_text error;

	value = value ? value : "yes"; /* a KIND_FLAG may have no value */
	snprintf(origin, sizeof(origin), "--%s", option_by_key(key)->doc.name);
	/*
	 * If there are sources, sources_read() sets the option again, and reports its mistake with
	 * all others.
	 */
	if (config_set(config, key, value, origin, &error) && !sources)
		argp_error(state, "%s", error.text);
	if (sources && sources_add(sources, key, value))
		argp_failure(state, EXIT_FAILED, ENOMEM, "%s", origin);
}

static error_t parse_shared(int key, char *arg, struct argp_state *state)
{
	const struct inputs *inputs = state->input;
	const struct config_option *option = option_by_key(key);

	if (key == KEY_HELP || key == KEY_USAGE)
		argp_state_help(state, stdout,
				key == KEY_HELP ? ARGP_HELP_STD_HELP
						: ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
	if (!option || !option->doc.every_command)
		return ARGP_ERR_UNKNOWN;
	command_take(inputs->config, inputs->sources, key, arg, state);
	return 0;
}

/*
 * Used instead of argp's own options, with which --help has a note of two lines on short options.
 */
static const struct argp_option help_options[] = {
	{.name = "help", .key = KEY_HELP, .doc = "Show this help", .group = -1},
	{.name = "usage", .key = KEY_USAGE, .doc = "Show the options alone", .group = -1},
};

static struct argp_option describe_shared(const struct config_option *option, bool is_short)
{
	bool is_run_dir = !strcmp(option->doc.name, "run-dir");

	return (struct argp_option){
		.name = option->doc.name,
		.key = option->doc.key,
		.arg = option->doc.arg,
		.doc = is_short && is_run_dir ? "The directory of the control sockets"
					      : option->doc.doc,
	};
}

/*
 * List the options that every command has. `is_short` keeps the help of a command on one screen;
 * the help of `start` is longer.
 */
static void list_shared(bool is_short, struct argp_option shared[SHARED_MAX])
{
	const size_t helps = sizeof(help_options) / sizeof(help_options[0]);
	const struct config_option *option;
	size_t i, count = 0;

	memset(shared, 0, SHARED_MAX * sizeof(shared[0]));
	for (i = 0; (option = option_at(i)) && count < SHARED_MAX - 1 - helps; i++)
		if (option->doc.every_command)
			shared[count++] = describe_shared(option, is_short);
	memcpy(&shared[count], help_options, sizeof(help_options));
}

/*
 * Find the command of "stickyctl NAME", the name that argp is given. Returns NULL for an internal
 * one.
 */
static const struct command *command_of(const char *argv0)
{
	const char *space = strchr(argv0, ' ');

	return space ? command_find(space + 1) : NULL;
}

/* Add two examples and the name of the manual page to the end of a --help. */
static char *filter_help(int key, const char *text, void *input)
{
	const struct inputs *inputs = input;
	char *extra = NULL;

	if (key == ARGP_KEY_HELP_DUP_ARGS_NOTE)
		return NULL;
	if (key != ARGP_KEY_HELP_EXTRA || !inputs || !inputs->command || !inputs->command->examples)
		return (char *)text;
	if (asprintf(&extra, "Examples:\n%s\nSee stickyctl-%s(1).", inputs->command->examples,
		     inputs->command->name) < 0)
		return NULL;
	return extra;
}

static error_t parse_own(int key, char *arg, struct argp_state *state)
{
	struct inputs *inputs = state->input;

	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = inputs;
		return 0;
	}
	state->input = inputs->own_input;
	key = inputs->own->parser(key, arg, state);
	state->input = inputs;
	return key;
}

/* If an option is misspelt, name the nearest one, and exit: getopt() would not name it. */
static void refuse_misspelt(int argc, char **argv, const struct argp_option *own,
			    const struct argp_option *shared)
{
	const struct argp_option *const lists[] = {shared, own, NULL};
	struct misspelt misspelt;

	if (!misspelt_find(argc, argv, lists, false, &misspelt) || !misspelt.nearest)
		return;
	fprintf(stderr,
		"%s: %.*s is no option; did you mean --%s?\n"
		"'%s --help' shows the options\n",
		argv[0], (int)strcspn(misspelt.word, "="), misspelt.word, misspelt.nearest,
		argv[0]);
	exit(EXIT_USAGE);
}

/*
 * Take unknown options out of the command line, and remember them, to report them with all other
 * mistakes. Returns how many words are left.
 */
static int take_misspelt_out(int argc, char **argv, const struct argp_option *own,
			     const struct argp_option *shared, struct problems *mistakes)
{
	const struct argp_option *const lists[] = {shared, own, NULL};
	struct misspelt misspelt;

	while (misspelt_find(argc, argv, lists, true, &misspelt)) {
		int length = (int)strcspn(misspelt.word, "="), behind;

		if (misspelt.nearest)
			problems_add(mistakes, "%.*s is no option; did you mean --%s?", length,
				     misspelt.word, misspelt.nearest);
		else
			problems_add(mistakes, "%.*s is no option", length, misspelt.word);
		behind = misspelt.index + misspelt.words;
		memmove(&argv[misspelt.index], &argv[behind],
			(size_t)(argc - behind + 1) * sizeof(*argv));
		argc -= misspelt.words;
	}
	return argc;
}

/*
 * Read the options in the environment. Other commands than `start` use only the instance's name and
 * directory, but refuse a mistake in any variable.
 */
static void read_environment(const struct inputs *inputs)
{
	struct problems problems = {0};
	struct error_text error;

	if (config_set_from_environment(inputs->config, environ, &problems) && !inputs->sources) {
		problems_sum_up(&problems, NULL, &error);
		fprintf(stderr, "stickyctl: %s\n", error.text);
		exit(EXIT_USAGE);
	}
	problems_fini(&problems);
}

static void parse_all(const struct argp *argp, int argc, char **argv, struct inputs *inputs)
{
	struct argp_option shared[SHARED_MAX];
	struct argp shared_argp = {.options = shared, .parser = parse_shared};
	struct argp_child children[] = {{.argp = &shared_argp}, {0}};
	struct argp whole = *argp;

	argp_err_exit_status = EXIT_USAGE;
	config_init(inputs->config);
	read_environment(inputs);
	config_begin_source(inputs->config);
	inputs->command = command_of(argv[0]);
	list_shared(!inputs->command || inputs->command->run != command_start, shared);
	whole.parser = parse_own;
	whole.children = children;
	whole.help_filter = filter_help;
	if (inputs->sources)
		argc = take_misspelt_out(argc, argv, argp->options, shared,
					 &inputs->sources->mistakes);
	else
		refuse_misspelt(argc, argv, argp->options, shared);
	if (argp_parse(&whole, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, inputs))
		exit(EXIT_FAILED);
}

void command_parse(const struct argp *argp, int argc, char **argv, void *input,
		   struct config *config)
{
	struct inputs inputs = {.own = argp, .own_input = input, .config = config};

	parse_all(argp, argc, argv, &inputs);
	if (!config->name)
		config->name = strdup("default");
	if (!config->name)
		abort(); /* out of memory, and nothing has been started yet */
}

void command_parse_sources(const struct argp *argp, int argc, char **argv, void *input,
			   struct config *scratch, struct config_sources *sources)
{
	struct inputs inputs = {
		.own = argp, .own_input = input, .config = scratch, .sources = sources};

	sources->environment = environ;
	parse_all(argp, argc, argv, &inputs);
}
