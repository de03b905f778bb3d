/* SPDX-License-Identifier: MIT */
/* `stickyctl start`: everything is put together, run, and taken apart. */
#ifndef STICKY_CONTROLLER_CONTROLLER_H
#define STICKY_CONTROLLER_CONTROLLER_H

#include <event2/event.h>

#include "config/config.h"
#include "config/sources.h"
#include "supervise/worker_backend.h"
#include "sticky.h"

/* Workers as threads of this process: what the demo gives us. */
struct thread_host {
	/* Returns 0 or -errno; from then on the backend may be used. */
	int (*open)(struct event_base *base, struct sticky_group *group,
		    struct worker_backend *ret_backend);
	void (*close)(struct worker_backend *backend);
	const char *listen; /* the address where none is named */
};

/*
 * Run an instance until it is stopped.
 *
 * config   with name and command set; changed at reloads
 * sources  where it came from, and is read from again at each reload
 * threads  who runs the workers where there is no command
 *
 * Errors go to stderr. Returns an exit code.
 */
int controller_run(struct config *config, const struct config_sources *sources,
		   const struct thread_host *threads);

#endif
