// SPDX-License-Identifier: MIT
/* Opens the parts that workers need: dispatchers, processes or threads, the supervisor. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/journal.h"
#include "common/log.h"
#include "controller/controller_internal.h"
#include "handoff/frontend.h"
#include "node/node_listeners.h"
#include "node/preload.h"
#include "node/relay.h"
#include "process/processes.h"
#include "state/rundir.h"
#include "listen/listeners.h"
#include "supervise/shutdown.h"
#include "supervise/supervisor.h"

/* Open the dispatchers, if connections are to be accepted in the controller. */
int controller_open_frontend(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct frontend_options options = {
		.base = controller->base,
		.group = controller->instance.group,
		.config = config,
		.traffic = controller->instance.traffic,
		.heads = controller->instance.heads,
		.exits = controller->instance.exits,
		.accepts_all = !controller_can(controller, STICKY_CAN_GIVE_SOCKETS),
	};
	struct error_text error;
	int result;

	if (config->proxy.behind == BEHIND_NO_PROXY && !options.accepts_all)
		return EXIT_DONE;
	if (!config->command) {
		controller_complain(
			"the demo takes no passed connections: name a COMMAND, or leave "
			"out --behind-proxy and --steering=user");
		return EXIT_USAGE;
	}
	result = frontend_open(&options, &controller->instance.frontend, &error);
	if (!result)
		return EXIT_DONE;
	controller_complain("%s", error.text);
	return result == -EBADMSG ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

int controller_start_frontend(struct controller *controller)
{
	struct frontend *frontend = controller->instance.frontend;
	struct upgrade_legacy *legacy = &controller->legacy;
	/* If true, no Node.js application has said yet which address it listens on. */
	bool is_early = !sticky_group_listener_count(controller->instance.group);
	uint32_t i;
	int error;

	/* Connections that already wait come before those that are accepted from now on. */
	if (!frontend)
		counter_add(&controller->instance.exits->controller_ended, legacy->carried.count);
	frontend_take_in(frontend, &legacy->carried);
	carried_fini(&legacy->carried);
	error = frontend && !is_early ? frontend_start(frontend) : 0;

	/*
	 * Close the listening sockets of the program before the upgrade. Connections that have
	 * arrived there move to the sockets of this program.
	 */
	for (i = 0; i < legacy->kept_count; i++)
		close(legacy->kept[i]);
	legacy->kept_count = 0;
	if (error)
		controller_complain("cannot accept connections: %s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

void controller_on_listener_added(void *context)
{
	struct controller *controller = context;
	char addresses[STICKY_LISTENERS_LIMIT * (STICKY_ADDRESS_TEXT_SIZE + 1)];
	uint16_t ports[STICKY_LISTENERS_LIMIT];

	processes_set_ports(controller->processes, ports,
			    listen_ports(controller->instance.group, ports));
	listen_describe(controller->instance.group, sizeof(addresses), addresses);
	journal_add(controller->instance.journal, STICKY_LOG_INFO, "listening",
		    json_pack("{s:s}", "on", addresses));
	supervisor_listeners_changed(controller->instance.supervisor);
	if (controller_start_frontend(controller))
		shutdown_begin(controller->instance.supervisor, true);
}

static int write_preloads(struct controller *controller)
{
	int preload, error = 0;

	for (preload = 0; preload < PRELOAD_COUNT && !error; preload++) {
		char *path = controller->preload_paths[preload];

		error = rundir_file(controller->rundir.path, preload_name(preload),
				    RUNDIR_PATH_SIZE, path);
		if (!error)
			error = preload_write(preload, path);
	}
	return error;
}

static int open_nodeports(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct node_listeners_options options = {
		.group = controller->instance.group,
		.backlog = (int)config->backlog,
		.rights = &controller->rights,
		.is_named = config->listen.count > 0,
		/*
		 * Dispatchers get the group's listeners once, when they are opened. Therefore, with
		 * dispatchers, no listener can be added after the first one.
		 */
		.may_add = !controller->instance.frontend,
		.added = controller_on_listener_added,
		.context = controller,
	};
	int error;

	if (!config_is_node(config))
		return 0;
	error = write_preloads(controller);
	if (!error)
		error = relay_open(&controller->relay);
	return error ? error : node_listeners_open(&options, &controller->node_listeners);
}

static int open_processes(struct controller *controller)
{
	struct processes_options options = {
		.base = controller->base,
		.config = controller->instance.config,
		.identity = &controller->identity,
		.directory = controller->directory,
		.notify_path = controller->notify_path,
		.nofile = controller->nofile,
		.log_output = controller->instance.log_output,
		.ring = controller->instance.ring,
	};
	int error = rundir_file(controller->rundir.path, "notify.sock",
				sizeof(controller->notify_path), controller->notify_path);
	int preload;

	if (!error)
		error = open_nodeports(controller);
	if (!error)
		error = controller_open_bind(controller);
	options.bind = controller->bind;
	options.gives_sockets =
		config_worker_mode(controller->instance.config) == WORKER_ACTIVATION;
	options.node_listeners = controller->node_listeners;
	options.relay = controller->relay;
	options.unheard = &controller->unheard;
	for (preload = 0; preload < PRELOAD_COUNT; preload++)
		options.preloads[preload] = controller->preload_paths[preload];
	options.delivery = frontend_delivery(controller->instance.frontend);
	options.port_count = listen_ports(controller->instance.group, options.ports);
	if (!error)
		error = processes_open(&options, &controller->processes);
	if (error) {
		controller_complain("cannot make %s: %s%s", controller->notify_path,
				    strerror(-error),
				    error == -EPERM ? "\nto give it to the user of --user it needs "
						      "CAP_CHOWN (in a container: --cap-add CHOWN)"
						    : "");
		return error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	}
	controller->instance.backend = processes_backend(controller->processes);
	return EXIT_DONE;
}

static int open_threads(struct controller *controller)
{
	int error = controller->threads->open(controller->base, controller->instance.group,
					      &controller->instance.backend);

	if (error)
		controller_complain("cannot set up the demo's threads: %s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

int controller_open_workers(struct controller *controller)
{
	return controller->instance.config->command ? open_processes(controller)
						    : open_threads(controller);
}

static void on_finished(void *context, enum supervisor_result result)
{
	controller_finish(context, result);
}

int controller_open_supervisor(struct controller *controller)
{
	struct supervisor_options options = {
		.base = controller->base,
		.group = controller->instance.group,
		.backend = controller->instance.backend,
		.journal = controller->instance.journal,
		.config = controller->instance.config,
		.held = {.accepted = &controller->instance.exits->accepted_from_holding,
			 .answered = &controller->instance.traffic->delivery.answered},
		.delivery = frontend_delivery(controller->instance.frontend),
		.rights = &controller->rights,
		.state_file = &controller->state_file,
		.finished = on_finished,
		.context = controller,
	};
	int error = supervisor_open(&options, &controller->instance.supervisor);

	if (error)
		controller_complain("%s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

int controller_open_slot_sockets(struct controller *controller)
{
	struct error_text error;
	int result = supervisor_open_slot_sockets(controller->instance.supervisor, &error);

	if (!result)
		return EXIT_DONE;
	/*
	 * After a takeover workers are serving. If the controller ended here, no process would
	 * supervise them.
	 */
	if (controller->takes_over) {
		error_text_join_lines(&error);
		report(STICKY_LOG_ERROR, "slot_listen_failed", "why=\"%s\"", error.text);
		return EXIT_DONE;
	}
	controller_complain("%s", error.text);
	return result == -EACCES   ? EXIT_NOT_PERMITTED
	       : result == -EINVAL ? EXIT_USAGE
				   : EXIT_FAILED;
}
