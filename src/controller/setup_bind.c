// SPDX-License-Identifier: MIT
/*
 * Prepares for workers that bind their addresses themselves, and checks what they can't be combined
 * with.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "controller/controller_internal.h"
#include "supervise/shutdown.h"

/*
 * Answer bind() of workers if this is possible. Otherwise they can still take their sockets from
 * LISTEN_FDS.
 */
static int offer(struct controller *controller)
{
	int error = bind_install_try();

	controller->answers_bind = !error;
	if (error)
		report(STICKY_LOG_INFO, "bind_not_answered", "why=\"%s\"",
		       bind_install_reason(error));
	else
		report(STICKY_LOG_INFO, "bind_answered",
		       "so=\"a server that binds an address of -l itself gets the socket of its "
		       "slot\" hint=\"--worker=activation: without the seccomp filter for it, and "
		       "without no_new_privs, with which sudo and the like fail in workers\"");
	return EXIT_DONE;
}

static int complain(const struct config *config, int error)
{
	if (!config->worker || worker_mode_parse(config->worker) == WORKER_AUTO)
		controller_complain("no address to listen on: name one by -l, e.g. -l "
				    "127.0.0.1:3000\nthe server can't bind its own here: %s (%s)",
				    bind_install_reason(error), strerror(-error));
	else
		controller_complain("--worker=bind can't work here: %s (%s)\n"
				    "run a server that takes a socket from LISTEN_FDS "
				    "(--worker=activation), or one of Node.js (--worker=node)",
				    bind_install_reason(error), strerror(-error));
	return error == -EPERM || error == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

int controller_check_bind(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	const char *why;
	int error;

	if (config_helps_with_bind(config))
		return offer(controller);
	if (!config->command || config_worker_mode(config) != WORKER_BIND)
		return EXIT_DONE;
	why = config_bind_conflict(config);
	if (why) {
		controller_complain("--worker=bind can't be combined with this: %s", why);
		return EXIT_USAGE;
	}
	error = bind_install_try();
	if (error)
		return complain(config, error);
	controller->answers_bind = true;
	return EXIT_DONE;
}

/*
 * Returns true if workers may bind ports below 1024 by their own rights. Without a user of their
 * own, they have the rights of this process.
 */
static bool may_bind_any_port(const struct identity *identity)
{
	return identity->change ? identity->uid == 0 : geteuid() == 0;
}

int controller_open_bind(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct bind_listeners_options options = {
		.group = controller->instance.group,
		.gives_sockets = config_worker_mode(config) != WORKER_BIND,
		.is_named = config->listen.count > 0,
		.may_bind_any_port = may_bind_any_port(&controller->identity),
		.added = controller_on_listener_added,
		.context = controller,
	};
	char path[RUNDIR_PATH_SIZE];
	int error;

	if (!controller->answers_bind)
		return 0;
	error = rundir_file(controller->rundir.path, "bind.sock", sizeof(path), path);
	if (!error)
		error = bind_workers_open(controller->base, path, &options, &controller->bind);
	return error;
}
