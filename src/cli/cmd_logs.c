// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "cli/command.h"
#include "common/exit_code.h"
#include "common/sanitize.h"
#include "common/units.h"
#include "process/worker_line.h"
#include "sticky.h"

#define LINES_MAX 1000000

struct logs {
	const char *slot;  /* NULL: all slots */
	const char *lines; /* NULL: the controller's default */
	bool follow;
	bool json;
	bool time;
	bool is_terminal; /* stdout is one: control characters are replaced */
	bool has_shown;
};

static void check_number(const char *text, uint64_t max, const char *what,
			 const struct argp_state *state)
{
	uint64_t number;

	if (parse_number(text, 0, max, &number))
		argp_error(state, "%s: '%s' is not a whole number from 0 to %" PRIu64, what, text,
			   max);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct logs *logs = state->input;

	if (key == 'f') {
		logs->follow = true;
	} else if (key == 'j') {
		logs->json = true;
	} else if (key == 't') {
		logs->time = true;
	} else if (key == 'L') {
		check_number(arg, LINES_MAX, "--lines", state);
		logs->lines = arg;
	} else if (key == ARGP_KEY_ARG && !logs->slot) {
		check_number(arg, STICKY_SLOTS_LIMIT - 1, "SLOT", state);
		logs->slot = arg;
	} else {
		return command_parse_nothing(key, arg, state);
	}
	return 0;
}

/* ---- One line --------------------------------------------------------------------- */

/* Write a line without control characters, except for tabs: stack traces have tabs. */
static void show_clean(const char *bytes, size_t length)
{
	char *copy = malloc(length + 1), *at = copy, *part;
	size_t i;

	if (!copy)
		return;
	for (i = 0; i < length; i++)
		copy[i] = bytes[i];
	for (i = 0; i < length; i++)
		if (!copy[i])
			copy[i] = '?';
	copy[length] = '\0';
	while ((part = strsep(&at, "\t"))) {
		text_clean_line(part);
		fputs(part, stdout);
		if (at)
			putchar('\t');
	}
	free(copy);
}

static void show_text(const struct logs *logs, const json_t *text)
{
	if (logs->is_terminal)
		show_clean(json_string_value(text), json_string_length(text));
	else
		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
}

static void show_line(const struct logs *logs, const json_t *line)
{
	struct line_origin origin = {
		.slot = (uint32_t)json_integer_value(json_object_get(line, "slot")),
		.generation = (uint64_t)json_integer_value(json_object_get(line, "generation")),
		.shows_generation = json_is_true(json_object_get(line, "beside")),
	};
	char prefix[WORKER_LINE_PREFIX_SIZE];

	worker_line_prefix(&origin, prefix);
	if (logs->time)
		printf("%s ", json_string_value(json_object_get(line, "time")));
	fputs(prefix, stdout);
	show_text(logs, json_object_get(line, "line"));
	puts(json_is_true(json_object_get(line, "cut")) ? " [...]" : "");
}

static bool is_gap(const json_t *line)
{
	const char *event = json_string_value(json_object_get(line, "event"));

	return event && !strcmp(event, "lines_dropped");
}

static int show(void *context, const json_t *line)
{
	struct logs *logs = context;

	logs->has_shown = true;
	if (logs->json) {
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (is_gap(line)) {
		fprintf(stderr,
			"stickyctl: %" JSON_INTEGER_FORMAT
			" lines are missing here: they came faster than they were read\n",
			json_integer_value(json_object_get(line, "lines")));
	} else {
		show_line(logs, line);
	}
	if (fflush(stdout))
		return EXIT_FAILED; /* the reader has gone */
	return -1;
}

/* ---- The command ------------------------------------------------------------------ */

static void make_target(const struct logs *logs, size_t size, char *target)
{
	snprintf(target, size, "/v1/logs?follow=%d%s%s%s%s", logs->follow,
		 logs->slot ? "&slot=" : "", logs->slot ? logs->slot : "",
		 logs->lines ? "&lines=" : "", logs->lines ? logs->lines : "");
}

const struct argp_option command_logs_options[] = {
	{.name = "follow", .key = 'f', .doc = "Go on with new lines"},
	{.name = "lines", .key = 'L', .arg = "N", .doc = "Show the last N lines (100)"},
	{.name = "time", .key = 't', .doc = "Show when each line was printed (UTC)"},
	{.name = "json", .key = 'j', .doc = "As JSON, one line on each line"},
	{0},
};

int command_logs(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_logs_options,
		.parser = parse,
		.args_doc = "[SLOT]",
		.doc = "Show the last lines that the workers have printed, or those of one slot. "
		       "The controller keeps up to 512 KiB of each slot.",
	};
	struct logs logs = {.is_terminal = isatty(STDOUT_FILENO)};
	struct config config;
	char target[128];
	int result;

	command_parse(&argp, argc, argv, &logs, &config);
	make_target(&logs, sizeof(target), target);
	result = client_follow(&config, "GET", target, show, &logs, EXIT_DONE);
	if (result == EXIT_DONE && !logs.has_shown && !logs.json && !logs.follow)
		fputs("the workers have printed nothing\n", stderr);
	config_fini(&config);
	return result;
}
