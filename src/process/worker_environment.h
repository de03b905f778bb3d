/* SPDX-License-Identifier: MIT */
/* The environment of a worker: the interface to the programs of users. */
#ifndef STICKY_PROCESS_WORKER_ENVIRONMENT_H
#define STICKY_PROCESS_WORKER_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "node/preload.h"
#include "process/environment.h"
#include "process/identity.h"

struct worker_environment {
	const struct config *config; /* name, env, env_files, watchdog */
	const struct identity *identity;
	const char *directory;
	const char *notify_path;
	uint32_t slot;
	uint64_t generation;
	uint16_t port;	       /* value of PORT, if the environment has none */
	bool takes_sockets;    /* the variables of LISTEN_FDS are set */
	uint32_t socket_count; /* LISTEN_FDS */
	bool has_private;      /* one more socket is passed, of the slot's own address */
	/* paths of files that Node.js loads first; NULL: none */
	const char *preloads[PRELOAD_COUNT];
	uint32_t serialization; /* enum node_serialization */
	bool is_node;		/* the controller is its cluster primary: no LISTEN_FDS */
	/* STICKY_CHANNEL is set, to the number behind the descriptors that the worker keeps */
	bool has_channel;
};

/*
 * Build the environment from the controller's own: add HOME and similar variables of another user,
 * --env-file, --env, and the variables of stickyctl. The value of LISTEN_PID is SPAWN_PID_DIGITS
 * spaces: the child writes its pid there.
 *
 * ret_error  why an env file can't be used, with its name and the line; not set by another error
 *
 * Returns 0, -ENOMEM, or another -errno if an env file can't be used. The caller must free the
 * environment in any case.
 */
int worker_environment(const struct worker_environment *spec, struct environment *ret_environment,
		       struct error_text *ret_error);

#endif
