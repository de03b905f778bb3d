// SPDX-License-Identifier: MIT
/* Shows the status on a full screen, with keys for the most frequent commands. */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/client.h"
#include "cli/command.h"
#include "common/json_fields.h"
#include "terminal/status_view.h"
#include "terminal/top_screen.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/sanitize.h"
#include "terminal/styled_text.h"
#include "terminal/top_model.h"

#define REFRESH_MS 1000
#define SOON_MS	   100 /* delay of the next refresh after an order, which has begun by then */
#define TIMEOUT_S  1   /* a controller that does not answer delays keys by this time */
#define GO_ON	   (-1)

struct top {
	const struct config *config;
	struct top_screen *screen;
	struct top_model model;
	struct text_lines text; /* the state of the instance */
	struct text_lines help;
	int signals; /* signalfd(2) */
	int ended_by;
	bool wants_colour;
	bool is_stale;		/* the instance did not answer, and the message says so */
	uint64_t refresh_at_ms; /* by clock_ms() */
};

/* ---- The text ----------------------------------------------------------------------- */

static const struct text_lines *shown(const struct top *top)
{
	return top->model.mode == TOP_SHOWS_HELP ? &top->help : &top->text;
}

static void draw(struct top *top)
{
	struct top_model model = top->model;

	top_model_fit(&model, shown(top)->count, top_screen_room(top->screen));
	top_screen_draw(top->screen, shown(top), &model);
}

/*
 * Write the status to top->text. Returns an exit code; before one that is not EXIT_DONE, an error
 * message is written.
 */
static int write_text(struct top *top, const json_t *status)
{
	struct text_lines lines;
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (memory) {
		status_view(status, top->wants_colour, memory);
		fclose(memory);
	}
	if (!text || text_lines_init(text, &lines))
		return EXIT_FAILED;
	text_lines_fini(&top->text);
	top->text = lines;
	top->model.slots = (uint32_t)field_number(status, "slots");
	return EXIT_DONE;
}

static void set_message(struct top *top, const char *text)
{
	snprintf(top->model.message, sizeof(top->model.message), "%s", text);
	text_clean_line(top->model.message);
}

/* Get the status. Returns NULL, or what is wrong. */
static const char *look(struct top *top)
{
	json_t *status = NULL;
	int result = client_ask_quietly(top->config, "/v1/status", TIMEOUT_S, &status);

	if (!result && json_is_array(json_object_get(status, "workers")))
		result = write_text(top, status);
	else if (!result)
		result = EXIT_FAILED;
	json_decref(status);
	if (result == EXIT_NOT_RUNNING)
		return "the instance is not running; this is what was seen last";
	return result ? "the controller does not answer; this is what was seen last" : NULL;
}

/* Get the status and its text. If the instance does not answer, the previous text stays. */
static void refresh(struct top *top)
{
	const char *problem = look(top);

	if (problem)
		set_message(top, problem);
	else if (top->is_stale)
		set_message(top, "");
	top->is_stale = problem != NULL;
	top_model_fit(&top->model, top->text.count, top_screen_room(top->screen));
	top->refresh_at_ms = clock_ms() + REFRESH_MS;
}

/* ---- Orders ------------------------------------------------------------------------- */

static void tell_done(struct top *top, const json_t *answer)
{
	const char *name = top_order_name(top->model.order);
	const char *note = field_text(answer, "note");
	char text[TOP_MESSAGE_SIZE];

	if (top->model.order == TOP_RELOAD)
		snprintf(text, sizeof(text), "reload %llu: %s%s%s", field_number(answer, "number"),
			 field_text(answer, "reload"), *note ? "; " : "", note);
	else
		snprintf(text, sizeof(text), "%s slot %u: it has begun", name, top->model.slot);
	set_message(top, text);
}

static void act(struct top *top)
{
	char target[64];
	json_t *answer = NULL;
	const char *error;

	top_model_target(&top->model, target);
	if (client_request_quietly(top->config, "POST", target, TIMEOUT_S, &answer)) {
		set_message(top, "the controller has not answered; see 'stickyctl events'");
		return;
	}
	error = field_text(answer, "error");
	if (*error)
		set_message(top, error);
	else
		tell_done(top, answer);
	json_decref(answer);
}

/* ---- The loop ----------------------------------------------------------------------- */

/* Act on a key. Returns an exit code, or GO_ON. */
static int handle_key(struct top *top, int key)
{
	switch (top_model_key(&top->model, key, shown(top)->count, top_screen_room(top->screen))) {
	case TOP_QUIT:
		return EXIT_DONE;
	case TOP_ACT:
		act(top);
		top->refresh_at_ms = clock_ms() + SOON_MS;
		break;
	case TOP_REFRESH:
		refresh(top);
		break;
	default:
		break;
	}
	return GO_ON;
}

static int handle_keys(struct top *top)
{
	int key, result = GO_ON;

	while (result == GO_ON && (key = top_screen_read(top->screen)) != TOP_NO_KEY)
		if (key != TOP_RESIZED && key != TOP_UNKNOWN_KEY)
			result = handle_key(top, key);
	return result;
}

/* Wait for a key, a signal, or the next look at the instance. Returns an exit code, or GO_ON. */
static int wait_for_something(struct top *top)
{
	struct pollfd sources[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = top->signals, .events = POLLIN},
	};
	struct signalfd_siginfo signal;
	uint64_t now = clock_ms();
	int timeout = top->refresh_at_ms > now ? (int)(top->refresh_at_ms - now) : 0;

	/* SIGWINCH interrupts poll(). top_screen_read() then reports the new size. */
	if (poll(sources, 2, timeout) < 0 && errno != EINTR)
		return EXIT_FAILED;
	if (sources[1].revents &&
	    read(top->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
		top->ended_by = (int)signal.ssi_signo;
		return EXIT_FAILED;
	}
	/* Any of these events means that the terminal is gone. */
	return sources[0].revents & (POLLHUP | POLLERR | POLLNVAL) ? EXIT_FAILED : GO_ON;
}

static int run(struct top *top)
{
	int result;

	do {
		if (clock_ms() >= top->refresh_at_ms)
			refresh(top);
		draw(top);
		result = wait_for_something(top);
		if (result == GO_ON)
			result = handle_keys(top);
	} while (result == GO_ON);
	return result;
}

/* ---- The command -------------------------------------------------------------------- */

/* Signals that end the command are read in the loop, so that the terminal is given back first. */
static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	return set;
}

static int open_all(struct top *top, const json_t *status)
{
	sigset_t set = ending_signals();
	struct error_text error;
	char *help = strdup(top_help());
	int result;

	if (!help || text_lines_init(help, &top->help) || write_text(top, status)) {
		fprintf(stderr, "stickyctl: %s\n", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	top->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (top->signals < 0) {
		fprintf(stderr, "stickyctl: cannot wait for signals: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	result = top_screen_open(top->wants_colour, &top->screen, &error);
	if (result)
		fprintf(stderr, "stickyctl: %s\n", error.text);
	return !result ? EXIT_DONE : result == -ENOTTY ? EXIT_USAGE : EXIT_FAILED;
}

static void close_all(struct top *top)
{
	top_screen_close(top->screen);
	text_lines_fini(&top->text);
	text_lines_fini(&top->help);
	if (top->signals >= 0)
		close(top->signals);
}

/* End by the signal that was received, as its sender expects. */
static void end_by(int number)
{
	sigset_t set = ending_signals();

	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int show(const struct config *config)
{
	const char *no_color = getenv("NO_COLOR");
	struct top top = {
		.config = config,
		.signals = -1,
		.wants_colour = !(no_color && *no_color),
		.refresh_at_ms = clock_ms() + REFRESH_MS,
	};
	json_t *status = NULL;
	int result = client_ask(config, "GET", "/v1/status", 10, &status, NULL);

	if (result)
		return result;
	result = open_all(&top, status);
	json_decref(status);
	if (!result)
		result = run(&top);
	close_all(&top);
	if (top.ended_by)
		end_by(top.ended_by);
	return result;
}

int command_top(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = command_parse_nothing,
		.doc = "Show the instance and its workers on the whole terminal, anew each second, "
		       "as 'status' does. Keys reload the instance, drain a slot, bring it back, "
		       "or "
		       "restart it; each is asked back. The key ? shows them all.",
	};
	struct config config;
	int result;

	setlocale(LC_ALL, "");
	command_parse(&argp, argc, argv, NULL, &config);
	result = show(&config);
	config_fini(&config);
	return result;
}
