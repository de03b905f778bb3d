// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/exit_code.h"
#include "client/client.h"
#include "cli/command.h"

#define BAR_WIDTH 40

enum wait { WAIT_NOT, WAIT_READY, WAIT_DRAINED };

struct progress {
	enum wait wait;
	bool bar; /* show a progress bar, as stderr is a terminal */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct progress *progress = state->input;

	if (key != 'w')
		return command_parse_nothing(key, arg, state);
	if (!arg || !strcmp(arg, "ready"))
		progress->wait = WAIT_READY;
	else if (!strcmp(arg, "drained"))
		progress->wait = WAIT_DRAINED;
	else
		argp_error(state, "--wait: '%s' is not one of: ready drained", arg);
	return 0;
}

static int number_of(const json_t *event, const char *key)
{
	return (int)json_integer_value(json_object_get(event, key));
}

static const char *text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text ? text : "";
}

static void draw_bar(int done, int of)
{
	int filled = of ? done * BAR_WIDTH / of : BAR_WIDTH;

	fprintf(stderr, "\r[%.*s%*s] %d of %d", filled, "########################################",
		BAR_WIDTH - filled, "", done, of);
}

static void show_slot(const struct progress *progress, const json_t *event)
{
	int done = number_of(event, "done"), of = number_of(event, "of");

	if (progress->bar)
		draw_bar(done, of);
	else
		fprintf(stderr, "slot %d: generation %d is ready (%d of %d)\n",
			number_of(event, "slot"), number_of(event, "generation"), done, of);
}

static void show_failure(const struct progress *progress, const json_t *event)
{
	const char *lines = text_of(event, "lines"), *hint = text_of(event, "hint");

	fprintf(stderr, "%sstickyctl: slot %d: %s%s\n", progress->bar ? "\n" : "",
		number_of(event, "slot"), text_of(event, "error"),
		json_is_true(json_object_get(event, "old_serves")) ? "; the old worker goes on"
								   : "");
	if (*hint)
		fprintf(stderr, "%s\n", hint);
	while (*lines) {
		int length = (int)strcspn(lines, "\n");

		fprintf(stderr, "  | %.*s\n", length, lines);
		lines += length + (lines[length] == '\n');
	}
}

static void show_waiting(const struct progress *progress, const json_t *event)
{
	fprintf(stderr, "%sslot %d waits: %d workers are draining there; %s\n",
		progress->bar ? "\n" : "", number_of(event, "slot"), number_of(event, "draining"),
		text_of(event, "hint"));
}

static void show_missing_port(const struct progress *progress, const json_t *event)
{
	if (!json_is_true(json_object_get(event, "previous_did")))
		return;
	fprintf(stderr,
		"%sslot %d: the new worker does not listen on %s, as the previous one did; %s\n",
		progress->bar ? "\n" : "", number_of(event, "slot"), text_of(event, "on"),
		text_of(event, "so"));
}

static int on_event(void *context, const json_t *event)
{
	const struct progress *progress = context;
	const char *name = text_of(event, "event");

	if (!strcmp(name, "options_kept")) {
		fprintf(stderr, "not changed while it runs: %s; %s\n", text_of(event, "options"),
			text_of(event, "so"));
	} else if (!strcmp(name, "reload_begun") && progress->bar) {
		draw_bar(0, number_of(event, "of"));
	} else if (!strcmp(name, "reload_slot")) {
		show_slot(progress, event);
	} else if (!strcmp(name, "reload_slot_failed")) {
		show_failure(progress, event);
	} else if (!strcmp(name, "not_listened_on")) {
		show_missing_port(progress, event);
	} else if (!strcmp(name, "reload_waits")) {
		show_waiting(progress, event);
	} else if (!strcmp(name, "reload_drained")) {
		fputs("all previous workers have ended\n", stderr);
		return EXIT_DONE;
	} else if (!strcmp(name, "reload_ended")) {
		bool ok = json_is_true(json_object_get(event, "ok"));

		fprintf(stderr,
			ok ? "%sreloaded: %d of %d workers are new\n"
			   : "%sstickyctl: the reload stopped: %d of %d workers are new\n",
			progress->bar ? "\n" : "", number_of(event, "done"),
			number_of(event, "of"));
		if (!ok || progress->wait == WAIT_READY)
			return ok ? EXIT_DONE : EXIT_PARTLY;
	}
	return -1;
}

/* Tell what happens now, and how to follow it. */
static void show_begun(const json_t *answer)
{
	bool is_queued = !strcmp(text_of(answer, "reload"), "queued");

	fprintf(stderr, "reload %d %s; follow it by 'stickyctl status' or 'stickyctl events -f'\n",
		number_of(answer, "number"),
		is_queued ? "is queued: it begins when the reload that runs is over" : "has begun");
	if (text_of(answer, "note")[0])
		fprintf(stderr, "%s\n", text_of(answer, "note"));
}

static int reload_and_wait(const struct config *config, struct progress *progress)
{
	int result = client_follow(config, "POST",
				   progress->wait == WAIT_DRAINED ? "/v1/reload?wait=drained"
								  : "/v1/reload?wait=ready",
				   on_event, progress, -1);

	if (result >= 0)
		return result;
	fputs("stickyctl: the controller ended before the reload did\n", stderr);
	return EXIT_PARTLY;
}

const struct argp_option command_reload_options[] = {
	{.name = "wait",
	 .key = 'w',
	 .arg = "ready|drained",
	 .flags = OPTION_ARG_OPTIONAL,
	 .doc = "Return when all new workers are ready (the default), or when all previous "
		"workers have ended, too"},
	{0},
};

int command_reload(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_reload_options,
		.parser = parse,
		.doc = "Replace the workers, slot by slot: a new one starts beside the old one, "
		       "gets its "
		       "clients when it is ready, and the old one finishes what it has. A new "
		       "worker that fails leaves the old one serving, and stops the reload: exit "
		       "code 4. The configuration file is read again first; one with an error in "
		       "it changes nothing: exit code 78.",
	};
	struct progress progress = {.bar = isatty(STDERR_FILENO)};
	struct config config;
	json_t *answer = NULL;
	int result;

	command_parse(&argp, argc, argv, &progress, &config);
	if (progress.wait != WAIT_NOT) {
		result = reload_and_wait(&config, &progress);
	} else {
		result = client_ask(&config, "POST", "/v1/reload", 10, &answer, NULL);
		if (!result)
			show_begun(answer);
		json_decref(answer);
	}
	config_fini(&config);
	return result;
}
