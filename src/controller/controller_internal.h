/* SPDX-License-Identifier: MIT */
/* The controller's inside, as controller.c, preparing.c and opening.c share it. */
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
	uint8_t seed[STICKY_SEED_SIZE];
	struct rlimit nofile;		      /* as we found it */
	char here[CONTROLLER_PATH_SIZE];      /* where we were started; "": it is gone */
	char directory[CONTROLLER_PATH_SIZE]; /* where workers run */
	char notify_path[RUNDIR_PATH_SIZE];
	struct event_base *base;
	struct event *signal_events[CONTROLLER_SIGNALS];
	struct processes *processes;
	char preload_path[RUNDIR_PATH_SIZE];
	struct relay *relay;
	struct nodeports *nodeports; /* NULL: workers are none of Node.js */
	struct worker_backend backend;
	struct instance instance;
	struct journal *journal;
	struct traffic own_traffic; /* where there is no state file */
	struct traffic *traffic;
	struct state_file state_file;
	struct takeover takeover; /* what a previous controller left; empty: nothing */
	bool takes_over;
	bool is_user;		   /* steering: all connections come into our own hands */
	char pins[PINS_PATH_SIZE]; /* "": not pinned */
	char program[UPGRADE_PATH_SIZE];
	int kept[UPGRADE_KEPT_MAX]; /* sockets of the program before an upgrade */
	uint32_t kept_count;
	struct api *api;
	struct event *stop_timer; /* --stop-delay */
	bool stop_announced;
	bool interrupted; /* a SIGINT was seen */
	int exit_code;
};

/* A word for the user, on stderr. */
void controller_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The steps of setting up. Each complains by itself, and returns an exit code.
 */

/* ---- preparing.c: what is ours, before anything is opened ---- */
void controller_raise_descriptor_limit(struct controller *controller);
int controller_take_name(struct controller *controller);
int controller_find_identity(struct controller *controller);
int controller_find_directory(struct controller *controller);
int controller_obtain_seed(struct controller *controller);

/*
 * Where workers run.
 *
 * chosen  by --chdir; NULL: where we were started
 *
 * Returns 0 or -errno with a word for the user.
 */
int controller_choose_directory(const struct controller *controller, const char *chosen,
				char ret_directory[CONTROLLER_PATH_SIZE], size_t size,
				char *ret_error);

/* ---- opening.c: the group, new or taken over ---- */
int controller_find_takeover(struct controller *controller);
int controller_open_group(struct controller *controller);
int controller_open_listeners(struct controller *controller);
int controller_open_state_file(struct controller *controller);
int controller_take_over(struct controller *controller);

/* The number of slots that the configuration asks for. */
uint32_t controller_wanted_slots(const struct config *config);

/* ---- applying.c: another configuration than before ---- */

/* What the configuration asks for, and the previous controller's did not. */
void controller_apply_differences(struct controller *controller);

/*
 * Read the configuration again, and reload.
 *
 * ret_text  why not; or, where it worked, what was not taken from the configuration, or "".
 *           API_ERROR_SIZE bytes
 *
 * Returns as rolling_reload_begin(), or -EBADMSG: nothing has changed.
 */
int controller_reload(struct controller *controller, char *ret_text);

#endif
