// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/client.h"
#include "cli/command.h"
#include "common/json_fields.h"
#include "client/leftovers.h"
#include "common/exit_code.h"
#include "state/rundir.h"

#define DEADLINE_S 30
/* The status is polled, as no event tells that the new program has opened its control socket. */
#define LOOK_MS 50

/*
 * Returns true if the controller has ended, and no program holds its lock. During an upgrade, the
 * new program holds it.
 */
static bool has_ended(const struct config *config)
{
	char directory[RUNDIR_PATH_SIZE];

	return !rundir_locate(config->run_dir, config->name, directory) &&
	       !rundir_is_taken(directory);
}

static int tell_end(const struct config *config)
{
	fputs("stickyctl: the new controller has ended: its log says why\n", stderr);
	leftovers_tell(config);
	return EXIT_FAILED;
}

/*
 * Returns true if this upgrade has failed. A controller of an earlier version gives it no number,
 * and does not report that it has failed.
 */
static bool has_failed(const json_t *status, unsigned long long number)
{
	const json_t *upgrade = json_object_get(status, "upgrade");

	return number && field_number(upgrade, "number") == number &&
	       !strcmp(field_text(upgrade, "state"), "failed");
}

static int tell_failure(const json_t *status)
{
	const json_t *upgrade = json_object_get(status, "upgrade");

	fprintf(stderr,
		"stickyctl: the upgrade has failed: %s\n"
		"the controller goes on as before; 'stickyctl upgrade' tries again\n",
		field_text(upgrade, "error"));
	return (int)field_number(upgrade, "exit_code");
}

/* Look whether the upgrade is over. Returns an exit code, or -1 while it goes on. */
static int look(const struct config *config, const json_t *answer)
{
	const char *before = field_text(answer, "started_at");
	json_t *status = NULL;
	int result = -1;

	if (client_ask_quietly(config, "/v1/status", 2, &status) != EXIT_DONE)
		return has_ended(config) ? tell_end(config) : -1;
	if (strcmp(field_text(status, "started_at"), before) != 0) {
		printf("upgraded: the controller is version %s, the workers went on\n",
		       field_text(status, "version"));
		result = EXIT_DONE;
	} else if (has_failed(status, field_number(answer, "number"))) {
		result = tell_failure(status);
	}
	json_decref(status);
	return result;
}

static int wait_for_it(const struct config *config, const json_t *answer)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	int looks, result;

	for (looks = 0; looks < DEADLINE_S * 1000 / LOOK_MS; looks++) {
		result = look(config, answer);
		if (result >= 0)
			return result;
		nanosleep(&pause, NULL);
	}
	fputs("stickyctl: the new controller does not answer; see its log, and 'stickyctl start'\n",
	      stderr);
	return EXIT_PARTLY;
}

int command_upgrade(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = command_parse_nothing,
		.doc = "Replace the running controller by the program that is now installed in its "
		       "place. The workers go on, and their clients notice nothing. If that "
		       "program could not start, the running one goes on.",
	};
	struct config config;
	json_t *answer = NULL;
	int result;

	command_parse(&argp, argc, argv, NULL, &config);
	result = client_ask(&config, "POST", "/v1/upgrade", 30, &answer, NULL);
	if (!result)
		result = wait_for_it(&config, answer);
	json_decref(answer);
	config_fini(&config);
	return result;
}
