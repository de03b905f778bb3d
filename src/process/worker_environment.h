/* SPDX-License-Identifier: MIT */
/* What a worker finds in its environment: the contract with programs of others. */
#ifndef STICKY_PROCESS_WORKER_ENVIRONMENT_H
#define STICKY_PROCESS_WORKER_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "process/environment.h"
#include "process/identity.h"

struct worker_environment {
	const struct config *config; /* name, env, env_files, watchdog */
	const struct identity *identity;
	const char *directory;
	const char *notify_path;
	uint32_t slot;
	uint64_t generation;
	uint16_t port;	       /* PORT, where the environment has none */
	bool takes_sockets;    /* LISTEN_FDS and the like are set */
	uint32_t socket_count; /* LISTEN_FDS */
	bool has_private;      /* one more, of the slot's own */
	const char *preload;   /* a file that Node.js loads first; NULL: none */
	bool is_node;	       /* we are its cluster primary: no LISTEN_FDS */
	bool has_channel;      /* STICKY_CHANNEL, behind what it keeps for us */
};

/*
 * Build it, on top of our own: HOME and the like of another user, --env-file, --env, then what is
 * ours to say. LISTEN_PID is blank, SPAWN_PID_DIGITS wide: the child fills it in.
 *
 * Returns 0, -ENOMEM, or why an env file can't be used (which is logged); the environment is the
 * caller's to free in any case.
 */
int worker_environment(const struct worker_environment *spec, struct environment *ret_environment);

#endif
