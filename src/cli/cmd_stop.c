// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/exit_code.h"
#include "client/client.h"
#include "cli/command.h"
#include "client/leftovers.h"

#define ANSWER_S 10 /* seconds that a controller without workers may take to answer, or to end */

enum { KEY_NOW = 'N' + 256 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != KEY_NOW)
		return command_parse_nothing(key, arg, state);
	*(bool *)state->input = true;
	return 0;
}

/*
 * Wait until the controller's process has ended, as it sends its answer before it exits. A `start`
 * right after this command then finds the instance's name free. Returns an exit code.
 */
static int wait_for_end(pid_t pid)
{
	struct pollfd end = {.events = POLLIN};
	int result;

	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (end.fd < 0)
		return errno == ESRCH ? EXIT_DONE : EXIT_FAILED;
	result = poll(&end, 1, ANSWER_S * 1000) == 1 ? EXIT_DONE : EXIT_PARTLY;
	close(end.fd);
	if (result)
		fprintf(stderr,
			"stickyctl: the workers have ended, but the controller (pid %d) has not\n",
			pid);
	return result;
}

const struct argp_option command_stop_options[] = {
	{.name = "now", .key = KEY_NOW, .doc = "Don't wait: kill the workers at once"},
	{0},
};

int command_stop(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_stop_options,
		.parser = parse,
		.doc = "Refuse new connections, ask the workers to stop, kill those that have not "
		       "ended after --hard-shutdown-delay, and end the instance. Returns when it "
		       "has ended. Exit code 0, or 4 if a worker had to be killed. Workers whose "
		       "controller was killed are ended, too, and their listening sockets that "
		       "other "
		       "programs have inherited are shut down.",
	};
	struct config config;
	json_t *answer = NULL;
	bool now = false;
	pid_t pid = 0;
	int result;

	command_parse(&argp, argc, argv, &now, &config);
	if (leftovers_stop(&config, now, &result)) {
		config_fini(&config);
		return result;
	}
	result = client_ask(&config, "POST", now ? "/v1/stop?now=1" : "/v1/stop", 0, &answer, &pid);
	config_fini(&config);
	if (result)
		return result;
	result = wait_for_end(pid);
	if (!result && json_is_true(json_object_get(answer, "killed"))) {
		fputs("stickyctl: stopped; workers that outlived --hard-shutdown-delay were "
		      "killed\n",
		      stderr);
		result = EXIT_PARTLY;
	}
	json_decref(answer);
	return result;
}
