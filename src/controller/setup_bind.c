// SPDX-License-Identifier: MIT
/* Workers that bind their addresses themselves: what they can't be combined with, and their start.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "controller/controller_internal.h"
#include "supervise/shutdown.h"

/* Returns what the mode can't be combined with, and the reason; NULL: nothing. */
static const char *conflict(const struct config *config)
{
	if (config->proxy.behind != BEHIND_NO_PROXY)
		return "--behind-proxy passes accepted connections to workers, and a server that "
		       "binds its address itself takes none";
	if (config->steering == STEERING_USER)
		return "--steering=user passes accepted connections to workers, and a server that "
		       "binds its address itself takes none";
	if (config->slot_listen)
		return "--slot-listen gives each worker one socket more, by LISTEN_FDS alone";
	if (config->ready == READY_MESSAGE)
		return "--ready=message is for Node.js";
	return NULL;
}

int controller_check_bind(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	const char *why;
	int error;

	if (!config->command || config_worker_mode(config) != WORKER_BIND)
		return EXIT_DONE;
	why = conflict(config);
	if (why) {
		controller_complain("--worker=bind can't be combined with this: %s", why);
		return EXIT_USAGE;
	}
	error = bind_install_try();
	if (!error)
		return EXIT_DONE;
	controller_complain(
		"--worker=bind can't work here: %s (%s)\n"
		"run a server that takes a socket from LISTEN_FDS (--worker=activation), "
		"or one of Node.js (--worker=node)",
		bind_install_reason(error), strerror(-error));
	return error == -EPERM || error == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

/* May workers bind ports below 1024 by their own rights? Without a user of their own they are what
 * this process is. */
static bool may_bind_any_port(const struct identity *identity)
{
	return identity->change ? identity->uid == 0 : geteuid() == 0;
}

int controller_open_bind(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct bind_listeners_options options = {
		.group = controller->instance.group,
		.is_named = config->listen.count > 0,
		.may_bind_any_port = may_bind_any_port(&controller->identity),
		.added = controller_on_listener_added,
		.context = controller,
	};
	char path[RUNDIR_PATH_SIZE];
	int error;

	if (config_worker_mode(config) != WORKER_BIND)
		return 0;
	error = rundir_file(controller->rundir.path, "bind.sock", sizeof(path), path);
	if (!error)
		error = bind_workers_open(controller->base, path, &options, &controller->bind);
	return error;
}
