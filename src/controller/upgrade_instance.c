// SPDX-License-Identifier: MIT
/* Replaces the program of a running instance, if its state allows that. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/journal.h"
#include "rights/privilege.h"
#include "common/timer.h"
#include "controller/controller_internal.h"
#include "controller/upgrade.h"
#include "controller/upgrade_trial.h"
#include "handoff/error_response.h"
#include "handoff/frontend.h"
#include "state/rundir.h"
#include "state/state_file.h"
#include "supervise/supervisor.h"

/*
 * The time that messages may wait for workers that do not read them. A worker that reads them takes
 * milliseconds. A client of `upgrade` should learn within a second or two of one that does not.
 */
#define UNSENT_MAX_MS  1500
#define UNSENT_LOOK_MS 10

struct upgrade_attempt {
	struct controller *controller;
	struct upgrade_trial *trial;
	struct event *retry; /* timer: look again whether messages wait for workers */
	uint64_t until_ms;   /* by clock_ms(): until then messages may wait */
};

/* ---- Checks of an upgrade ------------------------------------------------------------ */

/* Check that there is room for the state file that the new program makes beside this one's. */
static int check_space(const struct controller *controller, struct error_text *ret_error)
{
	char path[RUNDIR_PATH_SIZE] = "";
	int error = rundir_file(controller->rundir.path, "slots", sizeof(path), path);

	if (!error)
		error = state_file_check_space(path);
	if (error)
		error_text_set(ret_error, "upgrade: no room for a new state file beside %s: %s",
			       path, strerror(-error));
	return error;
}

/* Check that nothing is going on that only this program knows of, such as a stop. */
static int check_calm(const struct controller *controller, struct error_text *ret_error)
{
	if (!controller->instance.stop_announced)
		return supervisor_may_leave(controller->instance.supervisor, ret_error);
	error_text_set(ret_error, "upgrade: the instance is stopping");
	return -EBUSY;
}

int controller_may_upgrade(struct controller *controller, struct error_text *ret_error)
{
	if (!controller->instance.config->command) {
		error_text_set(
			ret_error,
			"upgrade: the demo's workers are threads of this process: they would end "
			"with its program");
		return -EBUSY;
	}
	if (!controller->pins[0]) {
		error_text_set(
			ret_error,
			"upgrade: the maps are not pinned (see takeover_unavailable in the log)");
		return -EBUSY;
	}
	if (controller->upgrade) {
		error_text_set(ret_error, "upgrade: another one is running; try again when it is "
					  "over");
		return -EBUSY;
	}
	if (check_calm(controller, ret_error))
		return -EBUSY;
	return check_space(controller, ret_error) ? -ENOSPC : 0;
}

/* ---- The end of an attempt ---------------------------------------------------------- */

static void free_attempt(struct upgrade_attempt *attempt)
{
	upgrade_trial_close(attempt->trial);
	if (attempt->retry)
		event_free(attempt->retry);
	free(attempt);
}

void controller_close_upgrade(struct controller *controller)
{
	if (controller->upgrade)
		free_attempt(controller->upgrade);
	controller->upgrade = NULL;
}

/*
 * Give an upgrade up, so that the instance goes on as before. `exit_code` is that of `stickyctl
 * upgrade`.
 */
static void fail(struct controller *controller, int exit_code, const char *why)
{
	struct upgrade_state *state = &controller->instance.upgrade;

	controller_close_upgrade(controller);
	state->is_running = false;
	state->exit_code = exit_code;
	error_text_set(&state->error, "%s", why);
	journal_add(controller->instance.journal, STICKY_LOG_ERROR, "upgrade_failed",
		    json_pack("{s:s, s:s, s:s}", "program", controller->program, "error", why, "so",
			      "this program goes on"));
}

/* ---- Steps of an attempt -------------------------------------------------------------- */

static int hand_over(struct controller *controller, struct upgrade_legacy *legacy)
{
	int error;

	legacy->nofile = controller->nofile;
	legacy->kept_count =
		frontend_sockets(controller->instance.frontend, UPGRADE_KEPT_MAX, legacy->kept);
	error_response_end_all(controller->base);
	privilege_pass_on(controller->ambient);
	error = rundir_keep_over_exec(&controller->rundir, true);
	if (!error)
		error = upgrade_execute(controller->program, controller->instance.config->arguments,
					legacy);
	rundir_keep_over_exec(&controller->rundir, false);
	privilege_end_passing_on(controller->ambient);
	return error;
}

/* Replace the program. Returns only on failure: -errno. */
static int become_new_program(struct controller *controller)
{
	struct frontend *frontend = controller->instance.frontend;
	struct upgrade_legacy legacy;
	sigset_t previous;
	int error;

	controller_hold_signals(&previous);
	error = frontend_pause(frontend, &legacy.carried);
	if (!error) {
		error = hand_over(controller, &legacy);
		frontend_resume(frontend, &legacy.carried);
		carried_fini(&legacy.carried);
	}
	sigprocmask(SIG_SETMASK, &previous, NULL);
	return error;
}

/*
 * Returns true if a worker has not read its messages yet. Part of one may have been sent: without
 * the rest, the worker could read no other message. ret_error is set if the time is over.
 */
static bool must_wait(struct upgrade_attempt *attempt, struct error_text *ret_error)
{
	uint32_t slot;
	pid_t pid;

	if (!processes_find_unread(attempt->controller->processes, &pid, &slot))
		return false;
	if (clock_ms() < attempt->until_ms)
		return true;
	error_text_set(ret_error,
		       "the worker with pid %d in slot %u does not read the messages that wait for "
		       "it; wait until it does, or end it",
		       pid, slot);
	return false;
}

/*
 * Replace the program, or wait, or give up. The checks are repeated, as the attempt has taken time.
 */
static void leave(struct upgrade_attempt *attempt)
{
	struct controller *controller = attempt->controller;
	struct error_text error = {""};
	int result;

	if (check_calm(controller, &error)) {
		fail(controller, EXIT_FAILED, error.text);
		return;
	}
	if (must_wait(attempt, &error)) {
		timer_start(attempt->retry, UNSENT_LOOK_MS);
		return;
	}
	if (error.text[0]) {
		fail(controller, EXIT_FAILED, error.text);
		return;
	}
	journal_add(controller->instance.journal, STICKY_LOG_INFO, "upgrading",
		    json_pack("{s:s}", "program", controller->program));
	result = become_new_program(controller);
	error_text_set(&error, "cannot run %s: %s", controller->program, strerror(-result));
	fail(controller, EXIT_FAILED, error.text);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	leave(context);
}

static void on_tried(void *context, int exit_code, const char *why)
{
	struct upgrade_attempt *attempt = context;

	if (exit_code != EXIT_DONE) {
		fail(attempt->controller, exit_code, why);
		return;
	}
	upgrade_trial_close(attempt->trial);
	attempt->trial = NULL;
	attempt->until_ms = clock_ms() + UNSENT_MAX_MS;
	leave(attempt);
}

static int begin(struct controller *controller, struct error_text *ret_error)
{
	struct upgrade_attempt *attempt = calloc(1, sizeof(*attempt));
	int error;

	controller->upgrade = attempt;
	if (attempt) {
		attempt->controller = controller;
		attempt->retry = evtimer_new(controller->base, on_retry, attempt);
	}
	if (!attempt || !attempt->retry) {
		error_text_set(ret_error, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	privilege_pass_on(controller->ambient);
	error = upgrade_trial_open(controller->base, controller->program,
				   controller->instance.config->arguments, on_tried, attempt,
				   &attempt->trial, ret_error);
	privilege_end_passing_on(controller->ambient);
	return error;
}

/*
 * The new program takes over from this one as it would after a crash. But it runs in the same
 * process, so that the workers keep their parent.
 */
void controller_upgrade(struct controller *controller)
{
	struct upgrade_state *state = &controller->instance.upgrade;
	struct error_text error;

	if (controller->upgrade)
		return;
	state->number++;
	state->is_running = true;
	state->error.text[0] = '\0';
	if (begin(controller, &error))
		fail(controller, EXIT_FAILED, error.text);
}
