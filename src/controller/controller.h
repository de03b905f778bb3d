/* SPDX-License-Identifier: MIT */
/* Runs an instance, for `stickyctl start`: opens all parts, runs them, and closes them. */
#ifndef STICKY_CONTROLLER_CONTROLLER_H
#define STICKY_CONTROLLER_CONTROLLER_H

#include <event2/event.h>
#include <stdbool.h>

#include "config/config.h"
#include "config/sources.h"
#include "sticky.h"
#include "supervise/worker_backend.h"

/* The functions that run workers as threads of this process. The demo implements them. */
struct thread_host {
	/* Returns 0 or -errno. On success ret_backend can be used until close(). */
	int (*open)(struct event_base *base, struct sticky_group *group,
		    struct worker_backend *ret_backend);
	void (*close)(struct worker_backend *backend);
	const char *listen; /* the address to listen on if -l names none */
};

/*
 * Run an instance until it is stopped.
 *
 * config   with name and command set; changed by reloads
 * sources  where the configuration came from; read again at each reload
 * threads  runs the workers if there is no command
 * ret_failed_at_start  the exit code is that of a start that has failed; not set by the process
 *                      that waits for a --daemon
 *
 * On failure an error message is written to stderr. Returns an exit code.
 */
int controller_run(struct config *config, const struct config_sources *sources,
		   const struct thread_host *threads, bool *ret_failed_at_start);

/*
 * Check that this program could be the next controller of the instance, in the place of the running
 * one. This does the first steps of the start, up to opening the running controller's group, and
 * changes nothing of that controller.
 *
 * On failure an error message is written to stderr. Returns an exit code.
 */
int controller_check_upgrade(struct config *config, const struct config_sources *sources);

#endif
