// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check_files.h"
#include "config/file_report.h"
#include "config/options.h"
#include "common/exit_code.h"
#include "common/message.h"
#include "rights/privilege.h"
#include "controller/controller.h"
#include "cli/command.h"
#include "demo/demo.h"
#include "service/end_with_npm.h"
#include "cli/start.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return start_line_parse(state->input, key, arg, state);
}

static bool is_demo_by_mistake(const struct config *config)
{
	if (!start_lacks_command(config))
		return false;
	if (config->file)
		fprintf(stderr,
			"stickyctl: %s names no command: add 'command: [PROGRAM, ARGUMENT]', or "
			"write "
			"it behind --\n",
			config->file);
	else
		fprintf(stderr,
			"stickyctl: no command: there is no file " SOURCES_DIRECTORY
			"/%s.yaml that names one, and none behind --\n",
			config->name);
	fputs("the demo is started by 'stickyctl start' without -n and -c, or with -l\n", stderr);
	return true;
}

static void tell_first(const struct problems *problems, const char *file)
{
	struct error_text text;

	problems_sum_up(problems, file, &text);
	message("stickyctl: %s", text.text);
}

static void tell_all(const struct problems *problems)
{
	size_t i;

	for (i = 0; i < problems->texts.count; i++)
		message("stickyctl: %s", problems->texts.items[i]);
	if (problems->more)
		message("stickyctl: and %zu more mistakes", problems->more);
}

static void tell_help(const struct config_sources *sources)
{
	if (problems_count(&sources->mistakes))
		message("'stickyctl start --help' shows the options");
}

static int run(const struct config_sources *sources, start_fn *fn, bool tells_all)
{
	struct config config;
	struct file_report report = {0};
	int result = sources_read(sources, &config, &report);

	if (!result && is_demo_by_mistake(&config)) {
		result = config.file ? EXIT_BAD_CONFIG : EXIT_USAGE;
	} else if (!result) {
		result = fn(&config, sources);
	} else {
		if (tells_all)
			tell_all(&report.problems);
		else
			tell_first(&report.problems, config.file);
		tell_help(sources);
		result = result == -EINVAL ? EXIT_USAGE : EXIT_BAD_CONFIG;
	}
	config_fini(&config);
	problems_fini(&report.problems);
	return result;
}

int start_by(int argc, char **argv, start_fn *fn, bool tells_all)
{
	struct argp_option options[START_OPTIONS_MAX];
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[-- COMMAND [ARG...]]",
		.doc = "Run COMMAND as workers: each gets listening sockets of its own from "
		       "descriptor 3 on (LISTEN_FDS), and the clients that belong to its slot. "
		       "Without COMMAND: the built-in demo server.\v"
		       "Times: 150ms, 30s, 5m, 2h; a bare number is milliseconds. Every option can "
		       "be given in the environment too, --min-uptime as STICKYCTL_MIN_UPTIME, "
		       "and in the configuration file, as min_uptime; the command line wins over "
		       "the environment, and both over the file, which is read again at each "
		       "reload.\n\n"
		       "Signals: TERM and INT stop gracefully, a second INT or QUIT at once; HUP "
		       "and "
		       "USR2 reload; TTIN and TTOU scale by one; USR1 opens the log file again.",
	};
	char word[] = "start";
	struct start_line line = {0};
	int result;

	start_line_options(0, options);
	command_parse_sources(&argp, argc, argv, &line, &line.scratch, &line.sources);
	argv[0] = word; /* main() had set it to "stickyctl start" for argp */
	line.sources.arguments = argv;
	result = run(&line.sources, fn, tells_all);
	start_line_fini(&line);
	return result;
}

typedef void check_fn(const struct config *config, const struct origins *origins,
		      struct problems *mistakes);

/*
 * Tell the places of mistakes in the file. The sources are read again, as the controller has
 * changed the configuration. Returns true if there are any.
 */
static bool blame_file(const struct config_sources *sources, check_fn *check)
{
	bool has_mistakes = false;
	struct config config;
	struct file_report report = {0};
	struct origins origins = {.sources = sources, .report = &report};

	if (!sources_read(sources, &config, &report) && config.file && config.command) {
		origins.file = config.file;
		check(&config, &origins, &report.problems);
		tell_all(&report.problems);
		has_mistakes = problems_count(&report.problems) > 0;
	}
	config_fini(&config);
	problems_fini(&report.problems);
	return has_mistakes;
}

/* Run the instance until it ends. */
static int run_instance(struct config *config, const struct config_sources *sources)
{
	bool failed_at_start = false;
	int result;

	if (blame_file(sources, check_before_start))
		return EXIT_BAD_CONFIG;
	end_with_npm();
	/*
	 * After `setcap ...+p` the capabilities are permitted, but not effective. This is enough.
	 */
	privilege_raise(PRIVILEGE_NET_BIND_SERVICE | PRIVILEGE_BPF);
	result = controller_run(config, sources, demo_host(), &failed_at_start);
	/* A directory or a file may be there at the next try: the exit code does not forbid it. */
	if (failed_at_start && result == EXIT_FAILED)
		(void)blame_file(sources, check_start);
	return result;
}

int command_start(int argc, char **argv)
{
	return start_by(argc, argv, run_instance, true);
}
