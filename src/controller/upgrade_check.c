// SPDX-License-Identifier: MIT
/* Checks whether this program could be the next controller of a running instance. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "common/log_file.h"
#include "config/ranges.h"
#include "controller/controller.h"
#include "controller/controller_internal.h"

/*
 * Check that the files of address ranges can be read. A start needs them; a reload would keep the
 * previous ranges.
 */
static int check_ranges(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct error_text error;
	struct ranges ranges;

	if (config->proxy.behind == BEHIND_NO_PROXY)
		return EXIT_DONE;
	if (ranges_read(&config->proxy.trusted, &ranges, &error)) {
		controller_complain("%s", error.text);
		return EXIT_BAD_CONFIG;
	}
	ranges_fini(&ranges);
	return EXIT_DONE;
}

/*
 * Check that the log file can be opened. Root without CAP_DAC_OVERRIDE may not, and its directory
 * may be gone.
 */
static int check_log_file(struct controller *controller)
{
	const char *path = controller->instance.config->log_file;
	struct error_text error;
	int fd = path ? log_file_open(path, &error) : -1;

	if (fd >= 0)
		close(fd);
	else if (path)
		controller_complain("%s", error.text);
	return path && fd < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* The steps of the start that open nothing, and checks of what the later steps need. */
static int (*const steps[])(struct controller *controller) = {
	controller_find_identity,
	controller_find_directory,
	controller_look_at_command,
	controller_obtain_seed,
	controller_check_bind,
	controller_try_socket,
	check_ranges,
	check_log_file,
	controller_check_group,
};

int controller_check_upgrade(struct config *config, const struct config_sources *sources)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	int result = EXIT_DONE;
	size_t step;

	if (!controller) {
		controller_complain("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	report_set_level(STICKY_LOG_ERROR);
	controller->instance.config = config;
	controller->sources = sources;
	controller->rundir.lock = -1;
	for (step = 0; !result && step < sizeof(steps) / sizeof(steps[0]); step++)
		result = steps[step](controller);
	identity_fini(&controller->identity);
	free(controller);
	return result;
}
