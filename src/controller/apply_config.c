// SPDX-License-Identifier: MIT
/* Applies a changed configuration, at a reload and at a takeover. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/error_text.h"
#include "common/log.h"
#include "config/ranges.h"
#include "controller/controller_internal.h"
#include "supervise/rolling_reload.h"
#include "supervise/shutdown.h"
#include "supervise/slot_commands.h"

/*
 * A hint about options that can't change while the instance runs, for the log and for the answer to
 * `reload`.
 */
#define AT_A_START "a stop and a start apply it"

static void scale_to(struct controller *controller, uint32_t slots)
{
	int moved = slots_scale(controller->instance.supervisor, slots);

	if (moved < 0)
		report(STICKY_LOG_ERROR, "scale_failed", "slots=%u error=\"%s\"", slots,
		       strerror(-moved));
}

/* Log the options that keep their values, as an event of the reload that begins next. */
static void note_kept(struct controller *controller, const char *names)
{
	uint32_t next = rolling_reload_id(controller->instance.supervisor) + 1;

	journal_add(controller->instance.journal, STICKY_LOG_WARN, "options_kept",
		    json_pack("{s:i, s:s, s:s}", "reload", (int)next, "options", names, "so",
			      AT_A_START));
}

void controller_apply_differences(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	const struct state_file_content *previous = controller->takeover.content;
	uint64_t before[CONFIG_FIXED_MAX], now[CONFIG_FIXED_MAX];
	char names[CONFIG_NAMES_SIZE];

	/*
	 * The state file has the hashes of the configuration as it was read. Options that keep
	 * their previous values have been set back in the configuration itself since then.
	 */
	state_file_read_fixed(previous, before);
	state_file_read_fixed(controller->state_file.content, now);
	config_fixed_differences(before, now, sizeof(names), names);
	if (names[0])
		note_kept(controller, names);
	/*
	 * The reload begins before the scaling, so that it does not replace the workers of slots
	 * that are added: these have the new program already.
	 */
	if (previous->config_id != config_id(config, controller->directory))
		rolling_reload_begin(controller->instance.supervisor);
	if (previous->configured_slots != controller_wanted_slots(config))
		scale_to(controller, controller_wanted_slots(config));
}

/* Note the configuration in the state file, for a controller that takes over. */
static void note_config(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct state_file_content *content = controller->state_file.content;

	if (!content)
		return;
	content->configured_slots = controller_wanted_slots(config);
	content->config_id = config_id(config, controller->directory);
	content->hard_shutdown_delay_ms = config->timing.hard_shutdown_delay_ms;
}

/* Check that the files of address ranges can be read, before anything is changed. */
static int check_ranges(const struct config *config, struct error_text *ret_error)
{
	struct ranges ranges;
	int error = ranges_read(&config->proxy.trusted, &ranges, ret_error);

	if (!error)
		ranges_fini(&ranges);
	return error;
}

/*
 * Read the new configuration, and find the directory of the workers. Returns 0, or -errno with the
 * reason in ret_error.
 */
static int load_config(struct controller *controller, struct config *ret_config,
		       char ret_directory[CONTROLLER_PATH_SIZE], struct error_text *ret_error)
{
	int error = sources_load(controller->sources, ret_config, ret_error);

	if (!error && controller->instance.config->command)
		error = controller_choose_directory(controller, ret_config->identity.chdir,
						    ret_directory, ret_error);
	if (!error)
		error = check_ranges(ret_config, ret_error);
	if (error)
		config_fini(ret_config);
	return error;
}

static void tell_kept(struct controller *controller, const char *names, struct error_text *ret_text)
{
	ret_text->text[0] = '\0';
	if (!names[0])
		return;
	error_text_set(ret_text, "not changed while it runs: %s; %s", names, AT_A_START);
	note_kept(controller, names);
}

int controller_reload(struct controller *controller, struct error_text *ret_text)
{
	struct config *config = controller->instance.config;
	struct supervisor *supervisor = controller->instance.supervisor;
	uint32_t previous_workers = config->workers;
	char names[CONFIG_NAMES_SIZE], directory[CONTROLLER_PATH_SIZE] = "";
	struct error_text error;
	struct config next;
	int result;

	if (shutdown_has_begun(supervisor)) {
		error_text_set(ret_text, "reload: the instance is stopping");
		return -EBUSY;
	}
	if (load_config(controller, &next, directory, ret_text))
		return -EBADMSG;
	config_replace(config, &next, sizeof(names), names);
	strcpy(controller->directory, directory);
	note_config(controller);
	tell_kept(controller, names, ret_text);
	supervisor_set_config(supervisor, config);
	report_set_level((enum sticky_log_level)config->log_level);
	report_set_format((enum log_format)config->log_format);
	if (frontend_apply_config(controller->instance.frontend, &error))
		report(STICKY_LOG_ERROR, "ranges_kept", "why=\"%s\"", error.text);
	result = rolling_reload_begin(supervisor);
	/* The number of slots set by `scale` stays until the configured number itself changes. */
	if (config->workers != previous_workers)
		scale_to(controller, controller_wanted_slots(config));
	return result;
}
