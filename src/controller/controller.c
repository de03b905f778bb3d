// SPDX-License-Identifier: MIT
#include "controller/controller.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/reload_times.h"
#include "common/exit_code.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/message.h"
#include "rights/privilege.h"
#include "config/known_servers.h"
#include "controller/controller_internal.h"
#include "controller/upgrade.h"
#include "handoff/error_response.h"
#include "handoff/frontend.h"
#include "state/pin_dir.h"
#include "state/state_file.h"
#include "listen/listeners.h"
#include "supervise/supervisor.h"

void controller_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_of_program(format, args);
	va_end(args);
}

/*
 * Make the event loop. With EVENT_BASE_FLAG_NO_CACHE_TIME a timer counts from the moment at which
 * it is started; else it would count from the beginning of the loop's turn, and fire too early.
 */
static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int open_loop(struct controller *controller)
{
	controller->base = new_base();
	if (!controller->base || controller_open_stop_timer(controller) ||
	    journal_open(&controller->instance.journal)) {
		controller_complain("cannot make an event loop: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (controller_watch_log(controller))
		return EXIT_FAILED;
	if (service_open(controller->base, &controller->instance, &controller->service)) {
		controller_complain("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	return controller_watch_signals(controller);
}

static int shrink_privilege(struct controller *controller)
{
	int error = privilege_shrink(controller_socket_privilege(controller->instance.config));

	if (!error)
		return EXIT_DONE;
	controller_complain("cannot give up the capabilities that are not needed: %s\n"
			    "stickyctl must be allowed to call capset(): does a seccomp filter "
			    "forbid it (SystemCallFilter= in a systemd unit)?",
			    strerror(-error));
	return EXIT_FAILED;
}

/* The steps of the start, in their order. teardown() undoes those that were done. */
static int (*const steps[])(struct controller *controller) = {
	controller_take_name,
	controller_find_identity,
	controller_find_directory,
	controller_look_at_command,
	controller_obtain_seed,
	controller_check_bind,
	controller_try_socket,
	controller_find_takeover,
	controller_open_group,
	controller_open_listeners,
	open_loop,
	controller_open_state_file,
	controller_open_frontend,
	controller_open_workers,
	controller_open_supervisor,
	controller_start_frontend, /* must come before a takeover
	  installs its program */
	controller_take_over,
	controller_open_slot_sockets,
	controller_open_api,
	controller_open_admin,
	shrink_privilege,
};

/* Run the loop until the instance ends. Returns an exit code. */
static int run_loop(struct controller *controller)
{
	if (event_base_dispatch(controller->base) == 0)
		return controller->exit_code;
	report(STICKY_LOG_ERROR, "loop_failed", "error=\"%s\"", strerror(errno));
	return EXIT_FAILED;
}

static void teardown(struct controller *controller)
{
	controller_close_upgrade(controller);
	service_close(controller->service);
	admin_close(controller->admin);
	api_close(controller->api);
	frontend_stop(controller->instance.frontend);
	supervisor_close(controller->instance.supervisor);
	frontend_close(controller->instance.frontend);
	processes_close(controller->processes);
	bind_workers_close(controller->bind);
	node_listeners_close(controller->node_listeners);
	relay_close(controller->relay);
	if (!controller->instance.config->command && controller->instance.backend.ops)
		controller->threads->close(&controller->instance.backend);
	controller_unwatch_signals(controller);
	log_output_unwatch(controller->instance.log_output);
	if (controller->stop_timer)
		event_free(controller->stop_timer);
	if (controller->base) {
		error_response_end_all(controller->base);
		event_base_free(controller->base);
	}
	reload_times_close(controller->instance.reload_times);
	journal_close(controller->instance.journal);
	sticky_group_close(controller->instance.group); /* also removes the group's pins */
	if (!controller->leaves_files)
		pins_remove(controller->pins);
	takeover_fini(&controller->takeover);
	state_file_close(&controller->state_file);
	identity_fini(&controller->identity);
	line_ring_close(controller->instance.ring);
	carried_fini(&controller->legacy.carried);
	if (controller->leaves_files)
		rundir_leave(&controller->rundir);
	else
		rundir_release(&controller->rundir);
	log_output_close(controller->instance.log_output);
}

/* Warn of --watchdog where nothing will ever send WATCHDOG=1. */
static void report_watchdog(const struct config *config)
{
	bool is_node = config_is_node(config);

	if (!config->command || !config->timing.watchdog_ms ||
	    (!is_node && config_worker_mode(config) != WORKER_BIND))
		return;
	report(STICKY_LOG_WARN, "watchdog_without_sender",
	       "so=\"%s: until a worker does, --watchdog watches none\" hint=\"use --hang-timeout "
	       "with --on-hang=restart\"",
	       is_node ? "Node.js can't send WATCHDOG=1"
		       : "few servers that bind their address themselves send WATCHDOG=1");
}

static void report_start(const struct controller *controller)
{
	const struct known_server *server = config_known_server(controller->instance.config);
	struct sticky_group *group = controller->instance.group;
	char addresses[STICKY_LISTENERS_LIMIT * (STICKY_ADDRESS_TEXT_SIZE + 1)];

	if (server)
		report(STICKY_LOG_INFO, "stop_signal", "signal=%s because=\"%s\"",
		       sigabbrev_np(server->stop_signal), server->because);
	report_watchdog(controller->instance.config);
	listen_describe(group, sizeof(addresses), addresses);
	report(STICKY_LOG_INFO, "starting",
	       "name=%s pid=%d listen=%s slots=%u steering=%s why=\"%s\" seed_id=%08x "
	       "control=%s/control.sock%s",
	       controller->instance.config->name, getpid(), addresses, sticky_group_slots(group),
	       controller->instance.steering, controller->instance.steering_reason,
	       sticky_group_seed_id(group), controller->rundir.path,
	       controller->takes_over ? " took_over=yes" : "");
}

/* Do the steps of the start. Returns an exit code. */
static int set_up(struct controller *controller)
{
	size_t step;
	int result = EXIT_DONE;

	controller->rundir.lock = -1;
	controller->instance.traffic = &controller->own_traffic;
	controller->instance.heads = &controller->own_heads;
	controller->instance.exits = &controller->own_exits;
	controller->ambient = privilege_ambient();
	upgrade_take_legacy(&controller->legacy);
	controller_raise_descriptor_limit(controller);
	if (upgrade_find_program(controller->program))
		controller->program[0] = '\0';
	for (step = 0; !result && step < sizeof(steps) / sizeof(steps[0]); step++)
		result = steps[step](controller);
	return result;
}

/* Run the instance. Returns an exit code. */
static int serve(struct controller *controller)
{
	report_start(controller);
	controller_leave_terminal_when_ready(controller);
	supervisor_start(controller->instance.supervisor);
	if (controller->takes_over)
		controller_apply_differences(controller);
	takeover_fini(&controller->takeover);
	return run_loop(controller);
}

int controller_run(struct config *config, const struct config_sources *sources,
		   const struct thread_host *threads, bool *ret_failed_at_start)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	bool ends = false;
	int result;

	if (!controller) {
		controller_complain("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	controller->instance.config = config;
	controller->sources = sources;
	controller->threads = threads;
	result = controller_open_log(controller, &ends);
	if (!result && !ends) {
		result = set_up(controller);
		result = result ? result : serve(controller);
		*ret_failed_at_start =
			result && (!controller->instance.supervisor ||
				   !supervisor_has_started(controller->instance.supervisor));
		teardown(controller);
	}
	free(controller);
	return result;
}
