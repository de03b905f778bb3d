// SPDX-License-Identifier: MIT
/* Another configuration than before: at a reload, and at a takeover. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/ranges.h"
#include "controller/controller_internal.h"
#include "common/log.h"
#include "supervise/rolling_reload.h"
#include "supervise/shutdown.h"
#include "supervise/slot_commands.h"

/* How what can't change is said, in the log and to who asked for a reload. */
#define AT_A_START "a stop and a start apply it"

static void scale_to(struct controller *controller, uint32_t slots)
{
	int moved = slots_scale(controller->instance.supervisor, slots);

	if (moved < 0)
		report(STICKY_LOG_ERROR, "scale_failed", "slots=%u error=\"%s\"", slots,
		       strerror(-moved));
}

/* As an event of the reload that follows. */
static void note_kept(struct controller *controller, const char *names)
{
	uint32_t next = rolling_reload_id(controller->instance.supervisor) + 1;

	journal_add(controller->journal, STICKY_LOG_WARN, "options_kept",
		    json_pack("{s:i, s:s, s:s}", "reload", (int)next, "options", names, "so",
			      AT_A_START));
}

void controller_apply_differences(struct controller *controller)
{
	const struct state_file_content *previous = controller->takeover.content;
	char names[CONFIG_ERROR_SIZE];

	/* As they were asked for: what is kept has been put back into the configuration. */
	config_fixed_differences(previous->fixed_ids, controller->state_file.content->fixed_ids,
				 sizeof(names), names);
	if (names[0])
		note_kept(controller, names);
	/* The reload first: slots that are new need no second worker. */
	if (previous->config_id != config_id(controller->config, controller->directory))
		rolling_reload_begin(controller->instance.supervisor);
	if (previous->configured_slots != controller_wanted_slots(controller->config))
		scale_to(controller, controller_wanted_slots(controller->config));
}

/* For a controller that takes over. */
static void note_config(struct controller *controller)
{
	struct state_file_content *content = controller->state_file.content;

	if (!content)
		return;
	content->configured_slots = controller_wanted_slots(controller->config);
	content->config_id = config_id(controller->config, controller->directory);
}

/* Files of ranges are read before anything is changed. */
static int check_ranges(const struct config *config, char *ret_error)
{
	struct ranges ranges;
	int error = ranges_read(&config->trusted_proxies, &ranges, API_ERROR_SIZE, ret_error);

	if (!error)
		ranges_fini(&ranges);
	return error;
}

/* The new configuration, and where workers run by it. Returns 0 or -errno with the reason. */
static int load(struct controller *controller, struct config *ret_config,
		char ret_directory[CONTROLLER_PATH_SIZE], char *ret_error)
{
	int error = sources_load(controller->sources, ret_config, ret_error);

	if (!error && controller->config->command)
		error = controller_choose_directory(controller, ret_config->chdir, ret_directory,
						    API_ERROR_SIZE, ret_error);
	if (!error)
		error = check_ranges(ret_config, ret_error);
	if (error)
		config_fini(ret_config);
	return error;
}

static void tell_kept(struct controller *controller, const char *names, char *ret_text)
{
	ret_text[0] = '\0';
	if (!names[0])
		return;
	snprintf(ret_text, API_ERROR_SIZE, "not changed while it runs: %s; %s", names, AT_A_START);
	note_kept(controller, names);
}

int controller_reload(struct controller *controller, char *ret_text)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	uint32_t former_workers = controller->config->workers;
	char names[CONFIG_ERROR_SIZE], directory[CONTROLLER_PATH_SIZE] = "";
	struct config next;
	int result;

	if (shutdown_has_begun(supervisor)) {
		snprintf(ret_text, API_ERROR_SIZE, "reload: the instance is stopping");
		return -EBUSY;
	}
	if (load(controller, &next, directory, ret_text))
		return -EBADMSG;
	config_replace(controller->config, &next, sizeof(names), names);
	strcpy(controller->directory, directory);
	note_config(controller);
	tell_kept(controller, names, ret_text);
	supervisor_set_config(supervisor, controller->config);
	report_set_level((enum sticky_log_level)controller->config->log_level);
	if (frontend_apply_config(controller->instance.front, sizeof(names), names))
		report(STICKY_LOG_ERROR, "ranges_kept", "why=\"%s\"", names);
	result = rolling_reload_begin(supervisor);
	/* A scale by hand holds until the configured number itself changes. */
	if (controller->config->workers != former_workers)
		scale_to(controller, controller_wanted_slots(controller->config));
	return result;
}
