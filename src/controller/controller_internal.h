/* SPDX-License-Identifier: MIT */
/* What controller.c, setup_host.c, setup_group.c and apply_config.c share. */
#ifndef STICKY_CONTROLLER_CONTROLLER_INTERNAL_H
#define STICKY_CONTROLLER_CONTROLLER_INTERNAL_H

#include <stdbool.h>
#include <sys/resource.h>

#include "api/api.h"
#include "controller/controller.h"
#include "handoff/frontend.h"
#include "node/relay.h"
#include "process/identity.h"
#include "api/instance.h"
#include "state/pin_dir.h"
#include "process/processes.h"
#include "state/rundir.h"
#include "supervise/takeover.h"
#include "controller/upgrade.h"

#define CONTROLLER_ERROR_SIZE 1024
#define CONTROLLER_PATH_SIZE  4096
#define CONTROLLER_SIGNALS    7

struct controller {
	struct config *config; /* replaced in place at a reload */
	const struct config_sources *sources;
	const struct thread_host *threads;
	struct rundir rundir;
	struct identity identity;
	struct user_rights rights; /* of the workers' user */
	uint8_t seed[STICKY_SEED_SIZE];
	struct rlimit nofile; /* the limits that this process was started with */
	/* the directory in which stickyctl was started; "": not found */
	char here[CONTROLLER_PATH_SIZE];
	char directory[CONTROLLER_PATH_SIZE]; /* the workers' working directory */
	char notify_path[RUNDIR_PATH_SIZE];
	struct event_base *base;
	struct event *signal_events[CONTROLLER_SIGNALS];
	struct processes *processes;
	char preload_path[RUNDIR_PATH_SIZE];
	struct relay *relay;
	struct nodeports *nodeports; /* NULL: the workers are not of Node.js */
	struct worker_backend backend;
	struct instance instance;
	struct journal *journal;
	struct traffic own_traffic; /* used where there is no state file */
	struct traffic *traffic;
	struct state_file state_file;
	struct takeover takeover; /* what a previous controller left; empty: nothing */
	bool takes_over;
	/* steering by user: all connections are accepted in the controller */
	bool is_user;
	char pins[PINS_PATH_SIZE]; /* the directory of the pinned maps; "": not pinned */
	char program[UPGRADE_PATH_SIZE];
	int kept[UPGRADE_KEPT_MAX]; /* open sockets of the program before an upgrade */
	uint32_t kept_count;
	struct api *api;
	struct event *stop_timer; /* for --stop-delay */
	bool stop_announced;
	bool interrupted; /* a first SIGINT has come */
	int exit_code;
};

/* Write an error message to stderr. `format` is that of printf(). */
void controller_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The steps of the start. Each of them writes its own error message, and returns an exit code. */

/* ---- setup_host.c: what the host must provide, before anything is opened ---- */

/* Raise the limit of open descriptors as far as allowed. */
void controller_raise_descriptor_limit(struct controller *controller);

/* Take the run directory of this name, and refuse to start if another instance has it. */
int controller_take_name(struct controller *controller);

/* Find the user that workers run as. */
int controller_find_identity(struct controller *controller);

/* Find the working directory of workers. */
int controller_find_directory(struct controller *controller);

/* Read the seed of the hash, or draw a new one and keep it. */
int controller_obtain_seed(struct controller *controller);

/*
 * Find the working directory for workers.
 *
 * chosen         the value of --chdir; NULL: the directory in which stickyctl was started
 * ret_directory  an absolute path
 * size           of ret_error, in bytes
 * ret_error      an error message
 *
 * Returns 0 or -errno.
 */
int controller_choose_directory(const struct controller *controller, const char *chosen,
				char ret_directory[CONTROLLER_PATH_SIZE], size_t size,
				char *ret_error);

/* ---- setup_group.c: the group, new or taken over ---- */

/* Look for workers that a previous controller of the same name left. */
int controller_find_takeover(struct controller *controller);

/* Open the group: with the kernel's steering or without, or that of a previous controller. */
int controller_open_group(struct controller *controller);

/* Listen on the addresses of the configuration. A takeover has its listeners already. */
int controller_open_listeners(struct controller *controller);

/* Create the state file, from which another controller can take over. */
int controller_open_state_file(struct controller *controller);

/* Adopt the workers of a previous controller, and put the state file in its place. */
int controller_take_over(struct controller *controller);

/* Returns the number of slots that the configuration asks for. */
uint32_t controller_wanted_slots(const struct config *config);

/* ---- apply_config.c: a changed configuration ---- */

/* After a takeover: apply what differs from the previous controller's configuration. */
void controller_apply_differences(struct controller *controller);

/*
 * Read the configuration again, apply it, and begin a reload.
 *
 * ret_text  API_ERROR_SIZE bytes: on failure the reason; else the options that keep their previous
 *           values, or ""
 *
 * Returns as rolling_reload_begin() does, or -EBADMSG, and nothing has changed.
 */
int controller_reload(struct controller *controller, char *ret_text);

#endif
