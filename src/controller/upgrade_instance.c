// SPDX-License-Identifier: MIT
/* Replaces the program of a running instance, if its state allows that. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/error_text.h"
#include "common/journal.h"
#include "controller/controller_internal.h"
#include "controller/upgrade.h"
#include "handoff/frontend.h"
#include "state/rundir.h"
#include "state/state_file.h"
#include "supervise/supervisor.h"

/* The new program makes a state file beside this one's. Without room it would end. */
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
	if (supervisor_may_leave(controller->instance.supervisor, ret_error))
		return -EBUSY;
	if (check_space(controller, ret_error))
		return -ENOSPC;
	return upgrade_check(controller->program, ret_error);
}

static int become_new_program(struct controller *controller)
{
	struct frontend *frontend = controller->instance.frontend;
	struct upgrade_legacy legacy = {.nofile = controller->nofile};
	sigset_t previous;
	int error = frontend_pause(frontend, &legacy.carried);

	if (error)
		return error;
	controller_hold_signals(&previous);
	legacy.kept_count = frontend_sockets(frontend, UPGRADE_KEPT_MAX, legacy.kept);
	error = rundir_keep_over_exec(&controller->rundir, true);
	if (!error)
		error = upgrade_execute(controller->program, controller->instance.config->arguments,
					&legacy);
	rundir_keep_over_exec(&controller->rundir, false);
	sigprocmask(SIG_SETMASK, &previous, NULL);
	frontend_resume(frontend, &legacy.carried);
	carried_fini(&legacy.carried);
	return error;
}

/*
 * An upgrade takes the same way as a crash: the new program takes over what this one leaves. But
 * the program is replaced in the same process, so that the workers keep their parent.
 */
void controller_upgrade(struct controller *controller)
{
	int error;

	journal_add(controller->instance.journal, STICKY_LOG_INFO, "upgrading",
		    json_pack("{s:s}", "program", controller->program));
	error = become_new_program(controller);
	journal_add(
		controller->instance.journal, STICKY_LOG_ERROR, "upgrade_failed",
		json_pack("{s:s, s:s}", "program", controller->program, "error", strerror(-error)));
}
