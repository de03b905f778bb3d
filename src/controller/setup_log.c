// SPDX-License-Identifier: MIT
/* Opens the outputs of the log and of the workers; with --daemon, leaves the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/exit_code.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/syslog_socket.h"
#include "rights/trusted_path.h"
#include "controller/controller_internal.h"
#include "controller/daemon.h"
#include "controller/upgrade.h"

/*
 * Warn if another user can change where the path leads to: root opens the file by its path again
 * and again.
 */
static void warn_of_log_file(const char *path)
{
	if (geteuid() != 0 || trusted_path(path))
		return;
	report(STICKY_LOG_WARN, "log_file_not_safe",
	       "file=\"%s\" why=\"another user can change a directory or link on the way to it\" "
	       "so=\"this user can let root write to any file\"",
	       path);
}

static int open_output(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	const struct log_target target = {
		.file = config->log_file,
		.syslog = config->daemon && !config->log_file ? SYSLOG_PATH : NULL,
	};
	struct error_text error;
	int result = log_output_open(&target, &controller->instance.log_output, &error);

	if (result) {
		controller_complain("%s", error.text);
		return result == -EACCES || result == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	}
	if (config->log_file)
		warn_of_log_file(config->log_file);
	return EXIT_DONE;
}

/* Stop reading from the terminal and writing to it, after the start has succeeded. */
static void leave_terminal(struct controller *controller)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
	log_output_redirect(controller->instance.log_output);
}

static int begin_daemon(struct controller *controller, bool *ret_ends)
{
	const struct config *config = controller->instance.config;
	int exit_code = EXIT_FAILED;
	int result;

	if (!config->log_file && config->worker_log == WORKER_LOG_INHERIT) {
		controller_complain(
			"--worker-log=inherit: in the background workers need a file to "
			"write to\nname one by --log-file");
		return EXIT_USAGE;
	}
	result = daemon_begin(&controller->starter, &exit_code);
	if (result < 0) {
		controller_complain("--daemon: cannot start a process: %s", strerror(-result));
		return EXIT_FAILED;
	}
	*ret_ends = result == 0;
	return *ret_ends ? exit_code : EXIT_DONE;
}

int controller_open_log(struct controller *controller, bool *ret_ends)
{
	const struct config *config = controller->instance.config;
	bool is_upgrade = upgrade_has_begun();
	int result = EXIT_DONE;

	/*
	 * SIGUSR1 may arrive before its handler is there: log rotation may ask at any time to open
	 * the log again.
	 */
	signal(SIGUSR1, SIG_IGN);
	controller->starter = -1;
	report_set_level((enum sticky_log_level)config->log_level);
	report_set_format((enum log_format)config->log_format);
	if (config->daemon && !is_upgrade)
		result = begin_daemon(controller, ret_ends);
	if (result || *ret_ends)
		return result;
	result = open_output(controller);
	if (!result && config->daemon && is_upgrade)
		leave_terminal(controller);
	return result;
}

int controller_watch_log(struct controller *controller)
{
	int error = log_output_watch(controller->instance.log_output, controller->base);

	if (!error)
		error = line_ring_open(STICKY_SLOTS_LIMIT, &controller->instance.ring);
	if (error)
		controller_complain("cannot make an event loop: %s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static void say_started(struct controller *controller)
{
	leave_terminal(controller);
	daemon_say_started(controller->starter);
	controller->starter = -1;
}

/* Leave the terminal at the event "started", which says that all slots are ready. */
static void on_event(void *context, const json_t *event)
{
	struct controller *controller = context;

	if (controller->starter < 0 ||
	    strcmp(json_string_value(json_object_get(event, "event")), "started"))
		return;
	say_started(controller);
}

void controller_leave_terminal_when_ready(struct controller *controller)
{
	if (controller->starter < 0)
		return;
	if (supervisor_has_started(controller->instance.supervisor) ||
	    !journal_follow(controller->instance.journal, on_event, controller))
		say_started(controller);
}
