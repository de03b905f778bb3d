// SPDX-License-Identifier: MIT
/* A worker process that runs Node.js: its channel, and how it is stopped. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/timer.h"
#include "node/node_worker.h"
#include "rights/privilege.h"
#include "process/process_internal.h"
#include "procfs/process_sockets.h"
#include "common/log.h"
#include "supervise/worker.h"
#include "supervise/worker_messages.h"
#include "procfs/unread_input.h"

/*
 * The longest times to wait until a worker has read from all its connections, as only then it is
 * asked to stop. UNREAD_QUIET gets less time: such a connection may be one that a browser opened
 * and never uses, or an upload that the worker does not read on.
 */
#define QUIET_MAX_MS  320
#define UNREAD_MAX_MS 5000
#define IDLE_MS	      5000 /* Node.js itself closes connections that are idle for so long */
#define FIRST_LOOK_MS 5	   /* the time to the first look; it doubles, up to QUIET_MAX_MS */

/* The time that requests in progress have until the application's handler runs at the latest. */
#define HANDLER_AFTER_MS 5000

static uint32_t term_after_ms(const struct config *config)
{
	return config->timing.term_after_ms == TERM_AFTER_DEFAULT
		       ? config->timing.hard_shutdown_delay_ms / 2
		       : config->timing.term_after_ms;
}

static void on_term(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;

	(void)fd;
	(void)what;
	/*
	 * The worker runs the application's signal handler itself (stop.js). A signal from here
	 * would run it a second time.
	 */
	if (process->was_signalled || node_worker_runs_handler(process->node))
		return;
	process_signal_stop(process);
	worker_stop_requested(process->worker);
}

static struct node_worker_options options_of(struct process *process)
{
	const struct processes_options *options = &process->processes->options;

	return (struct node_worker_options){
		.config = options->config,
		.base = options->base,
		.worker = process->worker,
		.ports = options->node_listeners,
		.relay = options->relay,
		.unheard = options->unheard,
		.delivery = options->delivery,
		.ended = process_on_channel_end,
		.context = process,
	};
}

/* ---- Asking it to finish ------------------------------------------------------------------ */

/*
 * If the controller may not read the worker's descriptors, it can't know whether input is unread.
 * It then assumes UNREAD_QUIET: the worker is asked to finish after QUIET_MAX_MS.
 */
static enum unread guess(const struct process *process, int error)
{
	struct processes *processes = process->processes;

	if (!processes->cannot_look)
		report(STICKY_LOG_WARN, "unread_unknown",
		       "pid=%d error=\"%s\" so=\"workers are asked to finish after %d ms, read or "
		       "not\"",
		       process->pid, strerror(error), QUIET_MAX_MS);
	processes->cannot_look = true;
	return UNREAD_QUIET;
}

/*
 * Is there unread input on connections to the listeners' ports? A connection that was passed, and
 * not acknowledged yet, may not be a descriptor of the process yet. Connections of the worker's
 * other servers do not count, as their clients can go on to other workers.
 */
static enum unread look(const struct process *process)
{
	const struct processes_options *options = &process->processes->options;
	unsigned int previous;
	int unread;

	if (node_worker_on_the_way(process->node))
		return UNREAD_SOME;
	previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	unread = unread_look(process->pid, options->ports, options->port_count);
	privilege_restore(previous);
	return unread < 0 ? guess(process, -unread) : (enum unread)unread;
}

/*
 * Must the worker still read before it is asked to finish? At the disconnect Node.js closes the
 * connections that it takes for idle: those whose next request it has not read, and since version
 * 26 those from which it has read nothing (nodejs/node#63470). A client that has just sent its
 * request would get a reset. No new connections arrive at the worker any more, so it will soon have
 * read from all of them.
 */
static bool has_unread(const struct process *process)
{
	enum unread unread = look(process);

	return (unread == UNREAD_SOME && process->waited_ms < UNREAD_MAX_MS) ||
	       (unread == UNREAD_QUIET && process->waited_ms < QUIET_MAX_MS);
}

static void look_again(struct process *process)
{
	uint32_t ms = process->waited_ms ? process->waited_ms : FIRST_LOOK_MS;

	if (ms > QUIET_MAX_MS)
		ms = QUIET_MAX_MS;
	process->waited_ms += ms;
	timer_start(process->disconnect, ms);
}

/*
 * Is --term-after given, so that it says how long connections may go on before the application's
 * handler runs? If it is not, the handler runs as soon as no request is being answered.
 */
static bool is_term_after_given(const struct config *config)
{
	return config->timing.term_after_ms != TERM_AFTER_DEFAULT;
}

/*
 * Returns how long idle connections of a leaving worker stay open. Their clients may be sending the
 * next request, and its answer tells them that it was the last one. At a stop of the instance the
 * time is 0, as no other worker could serve these clients.
 */
static uint32_t idle_ms(const struct process *process)
{
	uint32_t limit_ms = term_after_ms(process->processes->options.config) / 2;

	if (worker_is_in_stop(process->worker))
		return 0;
	return limit_ms < IDLE_MS ? limit_ms : IDLE_MS;
}

static void describe_stop(const struct process *process, struct cluster_stop *ret_stop)
{
	const struct config *config = process->processes->options.config;
	int number = config_stop_signal(config);
	uint32_t after_ms = term_after_ms(config);

	if (!is_term_after_given(config) && after_ms > HANDLER_AFTER_MS)
		after_ms = HANDLER_AFTER_MS;
	*ret_stop = (struct cluster_stop){
		/* Applications that were written for pm2 handle SIGINT alone. */
		.signals = {number, number == SIGTERM ? SIGINT : 0},
		.after_ms = after_ms,
		.when_idle = !is_term_after_given(config),
		.kept_ms = idle_ms(process),
		.message = config->stop_message,
	};
}

static bool disconnect(struct process *process)
{
	struct cluster_stop stop;

	describe_stop(process, &stop);
	process->was_asked = true;
	return node_worker_disconnect(process->node, process->was_signalled ? NULL : &stop);
}

/*
 * Ask the worker to finish, once its input is read. A worker that has already closed its channel is
 * about to end by itself. If it does not, on_term() sends the signal.
 */
static void on_disconnect(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;

	(void)fd;
	(void)what;
	if (has_unread(process))
		look_again(process);
	else if (disconnect(process))
		worker_stop_requested(process->worker);
}

static int make_timers(struct process *process)
{
	struct event_base *base = process->processes->options.base;

	process->term = evtimer_new(base, on_term, process);
	process->disconnect = evtimer_new(base, on_disconnect, process);
	return process->term && process->disconnect ? process_open_linger(process) : -ENOMEM;
}

int process_open_node(struct process *process)
{
	struct node_worker_options options = options_of(process);
	int error;

	if (!options.ports)
		return 0;
	error = make_timers(process);
	if (!error)
		error = node_worker_open(&options, &process->node_end, &process->node);
	return error;
}

/*
 * Does the worker load this script? A worker that was written for a module (a mode other than
 * WORKER_NODE) loads only the script for its stop.
 */
static bool wants_preload(const struct config *config, enum preload preload)
{
	return config_preloads(config) &&
	       (preload == PRELOAD_STOP || config_worker_mode(config) == WORKER_NODE);
}

const char *process_preload(const struct process *process, enum preload preload)
{
	struct processes *processes = process->processes;
	const char *path = processes->options.preloads[preload];

	if (!process->node || !wants_preload(processes->options.config, preload))
		return NULL;
	if (identity_may_read(processes->options.identity, path))
		return path;
	if (!processes->cannot_read)
		report(STICKY_LOG_WARN, "preload_unreadable",
		       "file=\"%s\" so=\"workers begin without it, as with --node-preload=no\" "
		       "hint=\"choose a --run-dir that the workers' user can read\"",
		       path);
	processes->cannot_read = true;
	return NULL;
}

void process_close_node_end(struct process *process)
{
	if (process->node_end >= 0)
		close(process->node_end);
	process->node_end = -1;
}

static void start_term(struct process *process)
{
	timer_start(process->term, term_after_ms(process->processes->options.config));
}

/*
 * The worker answers the requests in progress, and closes idle connections. After --term-after it
 * gets the signal.
 */
bool process_disconnect(struct process *process)
{
	if (!term_after_ms(process->processes->options.config) ||
	    node_worker_has_ended(process->node))
		return false;
	start_term(process);
	node_worker_leave(process->node, idle_ms(process));
	on_disconnect(-1, 0, process);
	return true;
}

void process_close_node(struct process *process)
{
	process_close_node_end(process);
	if (process->reaped)
		node_worker_ended(process->node);
	node_worker_close(process->node);
	process->node = NULL;
	if (process->term)
		event_free(process->term);
	process->term = NULL;
	if (process->disconnect)
		event_free(process->disconnect);
	process->disconnect = NULL;
	if (process->linger)
		event_free(process->linger);
	process->linger = NULL;
}

static bool offer_socket(void *context, int number, uint32_t inode)
{
	const struct process *process = context;
	int fd = (int)syscall(SYS_pidfd_getfd, process->pidfd, number, 0);

	(void)inode;
	if (fd >= 0)
		node_listeners_offer(process->processes->options.node_listeners, fd);
	return true;
}

/*
 * Find the sockets that the worker shares with other workers. All its sockets are looked at, as the
 * numbers of the shared ones are not known.
 */
static void offer_sockets(struct process *process)
{
	int error = process_each_socket(process->pid, offer_socket, process);

	if (error)
		report(STICKY_LOG_WARN, "sockets_unknown", "pid=%d error=\"%s\"", process->pid,
		       strerror(-error));
}

void process_adopt_node(struct process *process, int fd)
{
	struct node_worker_options options = options_of(process);

	if (make_timers(process) || node_worker_adopt(&options, fd, &process->node))
		close(fd);
	/*
	 * A worker that has left its slot was asked to finish, or will be in a moment. This
	 * controller does not know what the worker answered to the previous one. Its handler may be
	 * running, and a second signal at once could cut it short. So the worker gets the signal
	 * only after --term-after.
	 */
	else if (!worker_sockets(process->worker))
		start_term(process);
	offer_sockets(process);
}
