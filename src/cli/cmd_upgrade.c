// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/exit_code.h"
#include "cli/client.h"
#include "cli/command.h"

#define DEADLINE_S 30
/* This is polled, as no event tells that the new program has opened its control socket. */
#define LOOK_MS 50

static bool has_started_again(const struct config *config, const char *before, char *version,
			      size_t size)
{
	json_t *status = NULL;
	bool again = false;

	if (client_ask_quietly(config, "/v1/status", 2, &status) == EXIT_DONE) {
		const char *now = json_string_value(json_object_get(status, "started_at"));
		const char *text = json_string_value(json_object_get(status, "version"));

		again = now && strcmp(now, before) != 0;
		snprintf(version, size, "%s", text ? text : "?");
	}
	json_decref(status);
	return again;
}

static int wait_for_it(const struct config *config, const char *before)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	char version[64];
	int looks;

	for (looks = 0; looks < DEADLINE_S * 1000 / LOOK_MS; looks++) {
		if (has_started_again(config, before, version, sizeof(version))) {
			printf("upgraded: the controller is version %s, the workers went on\n",
			       version);
			return EXIT_DONE;
		}
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
		       "place. The workers go on, and their clients notice nothing.",
	};
	struct config config;
	json_t *answer = NULL;
	int result;

	command_parse(&argp, argc, argv, NULL, &config);
	result = client_ask(&config, "POST", "/v1/upgrade", 30, &answer, NULL);
	if (!result)
		result = wait_for_it(&config,
				     json_string_value(json_object_get(answer, "started_at")));
	json_decref(answer);
	config_fini(&config);
	return result;
}
