// SPDX-License-Identifier: MIT
#include "controller/controller.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handoff/error_response.h"
#include "common/timer.h"
#include "common/clock.h"
#include "node/preload.h"
#include "supervise/listeners.h"
#include "controller/controller_internal.h"
#include "common/privilege.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "state/state_file.h"
#include "supervise/shutdown.h"
#include "supervise/slot_commands.h"
#include "supervise/supervisor.h"

/* When all workers have ended: how long clients of `stop` may still take to read their answer. */
#define LAST_ANSWERS_MS 1000

static const int signals[CONTROLLER_SIGNALS] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
						SIGUSR2, SIGTTIN, SIGTTOU};

void controller_complain(const char *format, ...)
{
	va_list args;

	fputs("stickyctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- Stopping ------------------------------------------------------------------- */

/* Connections in the controller come first: their workers are about to be asked to stop. */
static void begin_stop(struct controller *controller, bool now)
{
	/*
	 * The group refuses new connections first: else one could still come to a dispatcher whose
	 * queue has been found empty.
	 */
	sticky_group_refuse(controller->instance.group);
	frontend_stop(controller->instance.front);
	nodeports_stop(controller->nodeports);
	shutdown_begin(controller->instance.supervisor, now);
}

static void on_stop_delay_over(evutil_socket_t fd, short what, void *context)
{
	struct controller *controller = context;

	(void)fd;
	(void)what;
	begin_stop(controller, false);
}

static void controller_stop(struct controller *controller, bool now, const char *why)
{
	uint32_t delay_ms = controller->config->stop_delay_ms;

	journal_add(controller->journal, STICKY_LOG_INFO, "stopping",
		    json_pack("{s:s, s:s}", "why", why, "how", now ? "now" : "graceful"));
	if (!now && delay_ms && !controller->stop_announced)
		timer_start(controller->stop_timer, delay_ms);
	else if (now || !delay_ms)
		begin_stop(controller, now);
	controller->stop_announced = true;
}

/* ---- Reload and scale ------------------------------------------------------------- */

static int on_reload_request(void *context, char text[API_ERROR_SIZE])
{
	return controller_reload(context, text);
}

static void reload_by_signal(struct controller *controller)
{
	char text[API_ERROR_SIZE];

	if (controller_reload(controller, text) < 0)
		report(STICKY_LOG_ERROR, "reload_refused", "why=\"%s\"", text);
}

static void scale_by_signal(struct controller *controller, int by)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	int slots = (int)supervisor_slots(supervisor) + by;
	int moved = slots < 1 ? -EINVAL : slots_scale(supervisor, (uint32_t)slots);

	if (moved < 0)
		report(STICKY_LOG_WARN, "scale_refused", "slots=%d error=\"%s\"", slots,
		       strerror(-moved));
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct controller *controller = context;
	bool again = controller->interrupted;

	(void)what;
	switch (number) {
	case SIGINT:
		controller->interrupted = true;
		controller_stop(controller, again, "SIGINT");
		break;
	case SIGTERM:
		controller_stop(controller, false, "SIGTERM");
		break;
	case SIGQUIT:
		controller_stop(controller, true, "SIGQUIT");
		break;
	case SIGTTIN:
		scale_by_signal(controller, 1);
		break;
	case SIGTTOU:
		scale_by_signal(controller, -1);
		break;
	default: /* SIGHUP, SIGUSR2 */
		reload_by_signal(controller);
	}
}

static void on_stop_request(void *context, bool now)
{
	controller_stop(context, now, "request");
}

/* Leave the loop after some time; NULL: in this turn. Without memory for a timer: at once. */
static void leave_loop(struct controller *controller, const struct timeval *after)
{
	if (event_base_loopexit(controller->base, after))
		event_base_loopbreak(controller->base);
}

static void on_answered(void *context)
{
	leave_loop(context, NULL);
}

static void on_finished(void *context, enum supervisor_result result)
{
	struct controller *controller = context;
	struct timeval grace = {.tv_usec = LAST_ANSWERS_MS * 1000 % 1000000,
				.tv_sec = LAST_ANSWERS_MS / 1000};

	controller->exit_code = result == SUPERVISOR_STOPPED  ? EXIT_DONE
				: result == SUPERVISOR_KILLED ? EXIT_PARTLY
							      : EXIT_FAILED;
	journal_add(controller->journal, STICKY_LOG_INFO, "stopped",
		    json_pack("{s:i}", "exit_code", controller->exit_code));
	/*
	 * The answers to `stop` are sent before the controller ends, but a client that does not
	 * read its answer is not waited for.
	 */
	leave_loop(controller, api_answer_stop(controller->api, result == SUPERVISOR_KILLED) > 0
				       ? &grace
				       : NULL);
}

/* ---- Upgrade ----------------------------------------------------------------------- */

static int may_upgrade(void *context, char error[API_ERROR_SIZE])
{
	struct controller *controller = context;

	if (!controller->config->command) {
		snprintf(error, API_ERROR_SIZE,
			 "upgrade: the demo's workers are threads of this process: they would end "
			 "with its program");
		return -EBUSY;
	}
	if (!controller->pins[0]) {
		snprintf(error, API_ERROR_SIZE,
			 "upgrade: the maps are not pinned (see takeover_unavailable in the log)");
		return -EBUSY;
	}
	if (supervisor_may_leave(controller->instance.supervisor, error, API_ERROR_SIZE))
		return -EBUSY;
	if (frontend_waiting(controller->instance.front)) {
		snprintf(error, API_ERROR_SIZE,
			 "upgrade: connections wait for their workers, and would be lost; try "
			 "again");
		return -EBUSY;
	}
	return upgrade_check(controller->program, error, API_ERROR_SIZE);
}

static int become_new_program(struct controller *controller)
{
	int kept[UPGRADE_KEPT_MAX];
	uint32_t count = frontend_sockets(controller->instance.front, UPGRADE_KEPT_MAX, kept);
	struct rlimit limit;
	int error;

	getrlimit(RLIMIT_NOFILE, &limit);
	setrlimit(RLIMIT_NOFILE, &controller->nofile);
	error = rundir_keep_over_exec(&controller->rundir, true);
	if (!error)
		error = upgrade_execute(controller->program, controller->config->arguments, kept,
					count);
	rundir_keep_over_exec(&controller->rundir, false);
	setrlimit(RLIMIT_NOFILE, &limit);
	return error;
}

/*
 * An upgrade takes the same way as a crash: the new program takes over what this one leaves. But
 * the program is replaced in the same process, so that the workers keep their parent.
 */
static void on_upgrade(void *context)
{
	struct controller *controller = context;
	int error;

	journal_add(controller->journal, STICKY_LOG_INFO, "upgrading",
		    json_pack("{s:s}", "program", controller->program));
	error = frontend_pause(controller->instance.front);
	if (!error) {
		error = become_new_program(controller);
		frontend_resume(controller->instance.front);
	}
	journal_add(
		controller->journal, STICKY_LOG_ERROR, "upgrade_failed",
		json_pack("{s:s, s:s}", "program", controller->program, "error", strerror(-error)));
}

/* ---- Setting up: each step complains by itself, and returns an exit code ---------- */

static int start_front(struct controller *controller);

/* A Node.js application has said which address it listens on. */
static void on_listener_added(void *context)
{
	struct controller *controller = context;
	char addresses[STICKY_LISTENERS_LIMIT * (STICKY_ADDRESS_TEXT_SIZE + 1)];
	uint16_t ports[STICKY_LISTENERS_LIMIT];

	processes_set_ports(controller->processes, ports,
			    listen_ports(controller->instance.group, ports));
	listen_describe(controller->instance.group, sizeof(addresses), addresses);
	journal_add(controller->journal, STICKY_LOG_INFO, "listening",
		    json_pack("{s:s}", "on", addresses));
	supervisor_listeners_changed(controller->instance.supervisor);
	if (start_front(controller))
		shutdown_begin(controller->instance.supervisor, true);
}

static int open_nodeports(struct controller *controller)
{
	struct nodeports_options options = {
		.group = controller->instance.group,
		.backlog = (int)controller->config->backlog,
		.rights = &controller->rights,
		.is_named = controller->config->listen.count > 0,
		/*
		 * Dispatchers get the group's listeners once, when they are opened. So with
		 * dispatchers no listener can be added after the first one.
		 */
		.may_add = !controller->instance.front,
		.added = on_listener_added,
		.context = controller,
	};

	int error;

	if (!config_is_node(controller->config))
		return 0;
	error = rundir_file(controller->rundir.path, "preload.js", sizeof(controller->preload_path),
			    controller->preload_path);
	if (!error)
		error = preload_write(controller->preload_path);
	if (!error)
		error = relay_open(&controller->relay);
	return error ? error : nodeports_open(&options, &controller->nodeports);
}

static int open_processes(struct controller *controller)
{
	struct processes_options options = {
		.base = controller->base,
		.config = controller->config,
		.identity = &controller->identity,
		.directory = controller->directory,
		.notify_path = controller->notify_path,
		.nofile = controller->nofile,
	};
	int error = rundir_file(controller->rundir.path, "notify.sock",
				sizeof(controller->notify_path), controller->notify_path);

	if (!error)
		error = open_nodeports(controller);
	options.nodeports = controller->nodeports;
	options.relay = controller->relay;
	options.preload = controller->preload_path;
	options.delivery = frontend_delivery(controller->instance.front);
	options.port_count = listen_ports(controller->instance.group, options.ports);
	if (!error)
		error = processes_open(&options, &controller->processes);
	if (error) {
		controller_complain("cannot make %s: %s", controller->notify_path,
				    strerror(-error));
		return EXIT_FAILED;
	}
	controller->backend = processes_backend(controller->processes);
	return EXIT_DONE;
}

static int open_threads(struct controller *controller)
{
	int error = controller->threads->open(controller->base, controller->instance.group,
					      &controller->backend);

	if (error)
		controller_complain("cannot set up the demo's threads: %s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

/* Open the dispatchers, if connections are to be accepted in the controller. */
static int open_front(struct controller *controller)
{
	struct frontend_options options = {
		.base = controller->base,
		.group = controller->instance.group,
		.config = controller->config,
		.traffic = controller->traffic,
		.is_user = controller->is_user,
	};
	char error[CONTROLLER_ERROR_SIZE];
	int result;

	if (controller->config->behind_proxy == BEHIND_NO_PROXY && !controller->is_user)
		return EXIT_DONE;
	if (!controller->config->command) {
		controller_complain(
			"the demo takes no passed connections: name a COMMAND, or leave "
			"out --behind-proxy and --steering=user");
		return EXIT_USAGE;
	}
	result = frontend_open(&options, sizeof(error), error, &controller->instance.front);
	if (!result)
		return EXIT_DONE;
	controller_complain("%s", error);
	return result == -EBADMSG ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

static int open_slot_sockets(struct controller *controller)
{
	char error[CONTROLLER_ERROR_SIZE];
	int result =
		supervisor_open_slot_sockets(controller->instance.supervisor, sizeof(error), error);

	if (!result)
		return EXIT_DONE;
	/*
	 * After a takeover workers are serving: if the controller ended here, nothing would watch
	 * them.
	 */
	if (controller->takes_over) {
		report(STICKY_LOG_ERROR, "slot_listen_failed", "why=\"%s\"", error);
		return EXIT_DONE;
	}
	controller_complain("%s", error);
	return result == -EACCES   ? EXIT_NOT_PERMITTED
	       : result == -EINVAL ? EXIT_USAGE
				   : EXIT_FAILED;
}

static int start_front(struct controller *controller)
{
	/* The application of a Node.js worker has not said yet which address it listens on. */
	bool is_early = !sticky_group_listener_count(controller->instance.group);
	int error = controller->instance.front && !is_early
			    ? frontend_start(controller->instance.front)
			    : 0;
	uint32_t i;

	/*
	 * Close the sockets of the program before the upgrade. Connections that came in the
	 * meantime move to the sockets of this program.
	 */
	for (i = 0; i < controller->kept_count; i++)
		close(controller->kept[i]);
	controller->kept_count = 0;
	if (error)
		controller_complain("cannot accept connections: %s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int open_supervisor(struct controller *controller)
{
	struct supervisor_options options = {
		.base = controller->base,
		.group = controller->instance.group,
		.backend = controller->backend,
		.journal = controller->journal,
		.config = controller->config,
		.answered = &controller->traffic->delivery.answered,
		.delivery = frontend_delivery(controller->instance.front),
		.rights = &controller->rights,
		.state_file = &controller->state_file,
		.finished = on_finished,
		.context = controller,
	};
	int error = supervisor_open(&options, &controller->instance.supervisor);

	if (error)
		controller_complain("%s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static void format_started_at(char text[32])
{
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, 32 - length, ".%06ldZ", now.tv_nsec / 1000);
}

static int open_api(struct controller *controller)
{
	const struct api_orders orders = {
		.stop = on_stop_request,
		.reload = on_reload_request,
		.may_upgrade = may_upgrade,
		.upgrade = on_upgrade,
		.answered = on_answered,
		.context = controller,
	};
	char path[RUNDIR_PATH_SIZE];
	int error = rundir_file(controller->rundir.path, "control.sock", sizeof(path), path);

	controller->instance.journal = controller->journal;
	controller->instance.traffic = controller->traffic;
	controller->instance.config = controller->config;
	controller->instance.backend = controller->backend;
	controller->instance.started_ms = clock_ms();
	format_started_at(controller->instance.started_at);
	if (!error)
		error = api_open(controller->base, path, &controller->instance, &orders,
				 &controller->api);
	if (error)
		controller_complain("cannot make %s: %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int watch_signals(struct controller *controller)
{
	size_t i;

	for (i = 0; i < CONTROLLER_SIGNALS; i++) {
		controller->signal_events[i] =
			evsignal_new(controller->base, signals[i], on_signal, controller);
		if (!controller->signal_events[i] ||
		    event_add(controller->signal_events[i], NULL)) {
			controller_complain("%s", strerror(ENOMEM));
			return EXIT_FAILED;
		}
	}
	return EXIT_DONE;
}

/*
 * Two signals must not end the controller, which would leave its workers without it: SIGPIPE, when
 * the reader of its output goes away; and SIGUSR1, which asks other servers to open their logs
 * again.
 */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGUSR1};
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/*
 * Make the event loop. With EVENT_BASE_FLAG_NO_CACHE_TIME a timer counts from the moment at which
 * it is started; else it would count from the beginning of the loop's turn, and fire too early.
 */
static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int open_loop(struct controller *controller)
{
	ignore_signals();
	controller->base = new_base();
	if (controller->base)
		controller->stop_timer =
			evtimer_new(controller->base, on_stop_delay_over, controller);
	if (!controller->stop_timer || journal_open(&controller->journal)) {
		controller_complain("cannot make an event loop: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return watch_signals(controller);
}

static int open_workers(struct controller *controller)
{
	return controller->config->command ? open_processes(controller) : open_threads(controller);
}

static int shrink_privilege(struct controller *controller)
{
	int error = privilege_shrink();

	(void)controller;
	if (!error)
		return EXIT_DONE;
	controller_complain("cannot give up the capabilities that are not needed: %s\n"
			    "stickyctl must be allowed to call capset(): does a seccomp filter "
			    "forbid it (SystemCallFilter= in a systemd unit)?",
			    strerror(-error));
	return EXIT_FAILED;
}

/* The steps are done in this order. teardown() undoes those that were done. */
static int (*const steps[])(struct controller *controller) = {
	controller_take_name,
	controller_find_identity,
	controller_find_directory,
	controller_obtain_seed,
	controller_find_takeover,
	controller_open_group,
	controller_open_listeners,
	open_loop,
	controller_open_state_file,
	open_front,
	open_workers,
	open_supervisor,
	start_front, /* before a takeover installs its program, which would find no dispatchers */
	controller_take_over,
	open_slot_sockets,
	open_api,
	shrink_privilege,
};

/* Run the loop until the instance ends. Returns an exit code. */
static int run_loop(struct controller *controller)
{
	if (event_base_dispatch(controller->base) == 0)
		return controller->exit_code;
	report(STICKY_LOG_ERROR, "loop_failed", "error=\"%s\"", strerror(errno));
	return EXIT_FAILED;
}

static void teardown(struct controller *controller)
{
	size_t i;

	api_close(controller->api);
	frontend_stop(controller->instance.front);
	supervisor_close(controller->instance.supervisor);
	frontend_close(controller->instance.front);
	processes_close(controller->processes);
	nodeports_close(controller->nodeports);
	relay_close(controller->relay);
	if (!controller->config->command && controller->backend.ops)
		controller->threads->close(&controller->backend);
	for (i = 0; i < CONTROLLER_SIGNALS; i++)
		if (controller->signal_events[i])
			event_free(controller->signal_events[i]);
	if (controller->stop_timer)
		event_free(controller->stop_timer);
	if (controller->base) {
		error_response_end_all(controller->base);
		event_base_free(controller->base);
	}
	journal_close(controller->journal);
	sticky_group_close(controller->instance.group); /* also removes the group's pins */
	pins_remove(controller->pins);
	takeover_fini(&controller->takeover);
	state_file_close(&controller->state_file);
	identity_fini(&controller->identity);
	rundir_release(&controller->rundir);
}

static void report_start(const struct controller *controller)
{
	struct sticky_group *group = controller->instance.group;
	char addresses[STICKY_LISTENERS_LIMIT * (STICKY_ADDRESS_TEXT_SIZE + 1)];

	listen_describe(group, sizeof(addresses), addresses);
	report(STICKY_LOG_INFO, "starting",
	       "name=%s pid=%d listen=%s slots=%u steering=%s why=\"%s\" seed_id=%08x "
	       "control=%s/control.sock%s",
	       controller->config->name, getpid(), addresses, sticky_group_slots(group),
	       controller->instance.steering, controller->instance.steering_reason,
	       sticky_group_seed_id(group), controller->rundir.path,
	       controller->takes_over ? " took_over=yes" : "");
}

int controller_run(struct config *config, const struct config_sources *sources,
		   const struct thread_host *threads)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	size_t step;
	int result = EXIT_DONE;

	if (!controller) {
		controller_complain("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	report_set_level((enum sticky_log_level)config->log_level);
	controller->config = config;
	controller->sources = sources;
	controller->threads = threads;
	controller->rundir.lock = -1;
	controller->traffic = &controller->own_traffic;
	controller->kept_count = upgrade_take_kept(controller->kept);
	controller_raise_descriptor_limit(controller);
	if (upgrade_find_program(controller->program))
		controller->program[0] = '\0';
	for (step = 0; !result && step < sizeof(steps) / sizeof(steps[0]); step++)
		result = steps[step](controller);
	if (!result) {
		report_start(controller);
		supervisor_start(controller->instance.supervisor);
		if (controller->takes_over)
			controller_apply_differences(controller);
		takeover_fini(&controller->takeover);
		result = run_loop(controller);
	}
	teardown(controller);
	free(controller);
	return result;
}
