/* SPDX-License-Identifier: MIT */
/* The state of the running instance, and the functions of this folder that work on it. */
#ifndef STICKY_CONTROLLER_CONTROLLER_INTERNAL_H
#define STICKY_CONTROLLER_CONTROLLER_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "admin/admin.h"
#include "api/api.h"
#include "api/instance.h"
#include "common/error_text.h"
#include "controller/controller.h"
#include "controller/upgrade.h"
#include "handoff/frontend.h"
#include "node/preload.h"
#include "node/relay.h"
#include "node/unheard.h"
#include "process/identity.h"
#include "process/processes.h"
#include "service/service.h"
#include "state/pin_dir.h"
#include "state/rundir.h"
#include "supervise/supervisor.h"
#include "supervise/takeover.h"

#define CONTROLLER_PATH_SIZE 4096
#define CONTROLLER_SIGNALS   8

struct controller {
	const struct config_sources *sources;
	const struct thread_host *threads;
	struct rundir rundir;
	struct identity identity;
	struct user_rights rights; /* rights of the workers' user */
	uint8_t seed[STICKY_SEED_SIZE];
	struct rlimit nofile; /* the limits that this process was started with */
	/* the directory in which stickyctl was started; "": not found */
	char here[CONTROLLER_PATH_SIZE];
	char directory[CONTROLLER_PATH_SIZE]; /* the workers' working directory */
	char notify_path[RUNDIR_PATH_SIZE];
	struct event_base *base;
	struct event *signal_events[CONTROLLER_SIGNALS];
	struct processes *processes;
	char preload_paths[PRELOAD_COUNT][RUNDIR_PATH_SIZE];
	struct relay *relay;
	bool answers_bind;	   /* bind() of workers is answered: see bind/bind_worker.h */
	struct bind_workers *bind; /* NULL: the workers do not bind their addresses themselves */
	struct unheard unheard;	   /* messages of Node.js workers that have no receiver */
	struct node_listeners *node_listeners; /* NULL: the workers are not of Node.js */
	struct instance instance;
	/* used as instance.traffic, .heads and .exits if there is no state file */
	struct traffic own_traffic;
	struct head_counters own_heads;
	struct exit_counters own_exits;
	struct state_file state_file;
	struct takeover takeover; /* workers and state of a previous controller; empty: none */
	bool takes_over;
	/* the files are still those of a previous controller: they stay if the start fails */
	bool leaves_files;
	char pins[PINS_PATH_SIZE]; /* the directory of the pinned maps; "": not pinned */
	char program[UPGRADE_PATH_SIZE];
	struct upgrade_legacy legacy;	 /* passed on by the program before an upgrade */
	unsigned int ambient;		 /* privilege_ambient() at the start */
	struct upgrade_attempt *upgrade; /* NULL: none is running */
	int starter;			 /* with --daemon: see daemon.h; else -1 */
	struct api *api;
	struct service *service;  /* NULL: there is no supervisor to tell */
	struct event *stop_timer; /* timer of --stop-delay */
	struct admin *admin;	  /* NULL: --admin is not given, or failed after a takeover */
	bool interrupted;	  /* a first SIGINT was received */
	int exit_code;
};

/* Write an error message to stderr. `format` is that of printf(). */
void controller_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The steps of the start. Each of them writes its own error message, and returns an exit code. */

/* ---- setup_host.c: the user, the directories and the limits, before anything is opened ---- */

/* Raise the limit of open descriptors as far as allowed. */
void controller_raise_descriptor_limit(struct controller *controller);

/* Take the run directory of this name, and refuse to start if another instance has it. */
int controller_take_name(struct controller *controller);

/* Find the user that workers run as. */
int controller_find_identity(struct controller *controller);

/* Find the working directory of workers. */
int controller_find_directory(struct controller *controller);

/* Find out whether the command is Node.js, and refuse one that can't work. */
int controller_look_at_command(struct controller *controller);

/* Read the seed of the hash, or draw a new one and keep it. */
int controller_obtain_seed(struct controller *controller);

/*
 * Find the working directory for workers.
 *
 * chosen         the value of --chdir; NULL: the directory in which stickyctl was started
 * ret_directory  an absolute path
 * ret_error      an error message
 *
 * Returns 0 or -errno.
 */
int controller_choose_directory(const struct controller *controller, const char *chosen,
				char ret_directory[CONTROLLER_PATH_SIZE],
				struct error_text *ret_error);

/* ---- setup_log.c: the outputs of the log ---- */

/*
 * Open the outputs of the log and of the workers. With --daemon, a child of this process goes on,
 * and this process must end.
 *
 * ret_ends  set to true in a process that must end with the exit code that is returned
 *
 * Returns an exit code, after an error message.
 */
int controller_open_log(struct controller *controller, bool *ret_ends);

/* Let the loop write log lines that wait for a slow reader. */
int controller_watch_log(struct controller *controller);

/*
 * With --daemon, once all slots are ready: leave the terminal, and let the process that the user
 * has started end.
 */
void controller_leave_terminal_when_ready(struct controller *controller);

/* ---- setup_bind.c: workers that bind their addresses themselves ---- */

/* Check that workers that bind their addresses can do so here, with the other options. */
int controller_check_bind(struct controller *controller);

/* Prepare for workers that bind their addresses. Returns 0 or -errno. */
int controller_open_bind(struct controller *controller);

/* ---- setup_workers.c ---- */

/*
 * Act on a new listener of the group, whose address a worker has asked for. context: the
 * controller.
 */
void controller_on_listener_added(void *context);

/* ---- setup_engine.c: the engine, by which connections get to their slots ---- */

/*
 * Open a new group, by the engine that the configuration asks for, or the first one that is
 * possible. Returns an exit code, after an error message.
 */
int controller_open_new_group(struct controller *controller, struct sticky_group_options *options);

/*
 * Note which engine the group has, for the log and the status.
 *
 * engine  enum sticky_engine
 * reason  copied
 */
void controller_set_engine(struct controller *controller, uint32_t engine, const char *reason);

/* ---- setup_group.c: the group, new or taken over ---- */

/* Look for workers that a previous controller of the same name left. */
int controller_find_takeover(struct controller *controller);

/* Open the group: a new one, or that of a previous controller. */
int controller_open_group(struct controller *controller);

/*
 * Listen on the addresses of the configuration. At a takeover nothing is done, as the listeners are
 * there.
 */
int controller_open_listeners(struct controller *controller);

/* Create the state file, from which another controller can take over. */
int controller_open_state_file(struct controller *controller);

/* Adopt the workers of a previous controller, and replace its state file by the new one. */
int controller_take_over(struct controller *controller);

/*
 * Returns true if the engine of the group, which must be open, has an ability.
 *
 * ability  of enum sticky_ability
 */
bool controller_can(const struct controller *controller, enum sticky_ability ability);

/* Returns the number of slots that the configuration asks for. */
uint32_t controller_wanted_slots(const struct config *config);

/* ---- setup_workers.c: the dispatchers, the workers and the supervisor ---- */

/* Open the dispatchers, if connections are to be accepted in the controller. */
int controller_open_frontend(struct controller *controller);

/* Open the backend of workers: processes for a COMMAND, else threads for the demo. */
int controller_open_workers(struct controller *controller);

int controller_open_supervisor(struct controller *controller);

/*
 * Let the dispatchers accept connections, if the group listens already. Must be called before
 * controller_take_over(), which installs a program that needs the dispatchers.
 */
int controller_start_frontend(struct controller *controller);

/* Listen on the private address of each slot. After a takeover, a failure is only logged. */
int controller_open_slot_sockets(struct controller *controller);

/* ---- setup_api.c ---- */

/* Open the control socket, and note when the instance started. */
int controller_open_api(struct controller *controller);

/* ---- signals.c ---- */

/*
 * Handle signals in the loop: SIGINT, SIGTERM and SIGQUIT stop the instance, SIGHUP and SIGUSR2
 * reload it, SIGTTIN and SIGTTOU change the number of slots, SIGUSR1 opens the log again. Returns
 * an exit code, after an error message.
 */
int controller_watch_signals(struct controller *controller);

/*
 * Keep the signals of controller_watch_signals() pending. The program that follows would be ended
 * by them until it has called controller_watch_signals() itself.
 *
 * ret_previous  the signal mask to restore if no program follows
 */
void controller_hold_signals(sigset_t *ret_previous);

/* Undo controller_watch_signals(), also if it failed or was not called. */
void controller_unwatch_signals(struct controller *controller);

/* ---- setup_admin.c ---- */

/*
 * Open the socket of --admin, and serve requests there. Must come before the privileges are given
 * up. After a takeover, a failure is only logged.
 */
int controller_open_admin(struct controller *controller);

/* ---- stopping.c ---- */

/* Make the timer for --stop-delay. Returns 0 or -ENOMEM. */
int controller_open_stop_timer(struct controller *controller);

/*
 * Begin to stop the instance.
 *
 * now  kill the workers; else let them end their work, after --stop-delay
 * why  the cause of the stop, for the log: "request", or the name of a signal
 */
void controller_stop(struct controller *controller, bool now, const char *why);

/* Answer the clients of `stop`, and leave the loop. Called when all workers have ended. */
void controller_finish(struct controller *controller, enum supervisor_result result);

/*
 * Leave the loop after some time; NULL: at the end of this turn. Without memory for a timer, the
 * loop is left at once.
 */
void controller_leave_loop(struct controller *controller, const struct timeval *after);

/* ---- upgrade_instance.c ---- */

/* Check that an upgrade is possible now. Returns 0, or -errno with the reason in ret_error. */
int controller_may_upgrade(struct controller *controller, struct error_text *ret_error);

/*
 * Begin to replace the program. First ask the new program whether it can go on, and wait until no
 * message to a worker is half sent. If the upgrade fails, instance.upgrade says why, and the
 * instance goes on as before.
 */
void controller_upgrade(struct controller *controller);

/* Forget an upgrade that is running. */
void controller_close_upgrade(struct controller *controller);

/* ---- setup_group.c: the check by a program that is not the controller yet ---- */

/*
 * Check that this program could take over the group of the running controller. Nothing of the group
 * is changed. Returns an exit code, after an error message.
 */
int controller_check_group(struct controller *controller);

/* ---- apply_config.c: a changed configuration ---- */

/* Apply the options that differ from the previous controller's configuration, after a takeover. */
void controller_apply_differences(struct controller *controller);

/*
 * Read the configuration again, apply it, and begin a reload.
 *
 * ret_text  on failure the reason; else the options that keep their previous values, or ""
 *
 * Returns a result of rolling_reload_begin(), or -EBADMSG, after which nothing has changed.
 */
int controller_reload(struct controller *controller, struct error_text *ret_text);

/*
 * Set the options of the configuration on a socket of the group: see sticky_prepare_fn.
 *
 * context  the configuration, whose options for sockets never change
 *
 * Returns 0 or -errno.
 */
int controller_prepare_socket(void *context, uint32_t listener, int fd);

/* Returns the optional capability that these options need at each new socket, or 0. Pure. */
unsigned int controller_socket_privilege(const struct config *config);

/* A step of the start: those options can be set here. Returns an exit code. */
int controller_try_socket(struct controller *controller);

#endif
