// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "cli/command.h"
#include "terminal/status_view.h"
#include "common/exit_code.h"

#define SCREEN_BYTES  65536
#define WATCH_SECONDS 1

enum mode { MODE_TEXT, MODE_JSON, MODE_WATCH, MODE_READY };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	enum mode *mode = state->input, wanted = MODE_TEXT;

	switch (key) {
	case 'j':
		wanted = MODE_JSON;
		break;
	case 'w':
		wanted = MODE_WATCH;
		break;
	case 'r':
		wanted = MODE_READY;
		break;
	default:
		return command_parse_nothing(key, arg, state);
	}
	if (*mode != MODE_TEXT && *mode != wanted)
		argp_error(state, "only one of --json, --watch and --ready can be given");
	*mode = wanted;
	return 0;
}

/*
 * Returns true if stdout is a terminal, and NO_COLOR (https://no-color.org) is not set to a text.
 */
static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

/*
 * Write the status over the previous one. Each line clears the rest of the line on the screen, so
 * that nothing flickers.
 */
static int redraw(const json_t *status)
{
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory) {
		perror("stickyctl");
		return EXIT_FAILED;
	}
	status_view(status, wants_colour(), memory);
	fclose(memory);
	fputs("\033[H", stdout);
	for (line = text; (rest = strchr(line, '\n')); line = rest + 1)
		printf("%.*s\033[K\n", (int)(rest - line), line);
	fputs("\033[J", stdout);
	fflush(stdout);
	free(text);
	return EXIT_DONE;
}

static int watch(const struct config *config)
{
	bool is_terminal = isatty(STDOUT_FILENO);
	json_t *status;
	int result;

	if (is_terminal) {
		/* One write() for each screen. */
		setvbuf(stdout, NULL, _IOFBF, SCREEN_BYTES);
		fputs("\033[2J", stdout);
	}
	while (!(result = client_ask(config, "GET", "/v1/status", 10, &status, NULL))) {
		if (is_terminal) {
			result = redraw(status);
		} else {
			status_view(status, false, stdout);
			putchar('\n');
			fflush(stdout);
		}
		json_decref(status);
		if (result || ferror(stdout))
			return EXIT_FAILED;
		sleep(WATCH_SECONDS);
	}
	return result;
}

static int show(enum mode mode, const struct config *config)
{
	json_t *status = NULL;
	int result = client_ask(config, "GET", "/v1/status", 10, &status, NULL);

	if (result)
		return result;
	if (mode == MODE_JSON)
		json_dumpf(status, stdout, JSON_INDENT(2)), putchar('\n');
	else if (mode == MODE_TEXT)
		status_view(status, wants_colour(), stdout);
	else if (!status_is_ready(status))
		result = EXIT_FAILED;
	json_decref(status);
	return result;
}

const struct argp_option command_status_options[] = {
	{.name = "json", .key = 'j', .doc = "As JSON"},
	{.name = "watch", .key = 'w', .doc = "Show it again each second"},
	{.name = "ready",
	 .key = 'r',
	 .doc = "Show nothing: exit code 0 if each slot has a ready worker, or is drained; "
		"1 "
		"if one has not"},
	{0},
};

int command_status(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_status_options,
		.parser = parse,
		.doc = "Show the instance and its workers; what is wrong comes first. SHARE is a "
		       "slot's share of all clients. The other columns count connections: PLACED "
		       "those that the kernel sent to the slot, PASSED those that stickyctl "
		       "accepted and passed to the worker, QUEUE those that wait to be accepted, "
		       "OPEN those that the worker has accepted and not closed.",
	};
	enum mode mode = MODE_TEXT;
	struct config config;
	int result;

	command_parse(&argp, argc, argv, &mode, &config);
	result = mode == MODE_WATCH ? watch(&config) : show(mode, &config);
	config_fini(&config);
	return result;
}
