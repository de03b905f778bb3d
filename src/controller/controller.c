// SPDX-License-Identifier: MIT
#include "controller.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "clock.h"
#include "cpus.h"
#include "identity.h"
#include "instance.h"
#include "listen.h"
#include "privilege.h"
#include "pins.h"
#include "processes.h"
#include "report.h"
#include "rundir.h"
#include "seed.h"
#include "slotsfile.h"
#include "supervisor.h"
#include "takeover.h"
#include "upgrade.h"

#define ERROR_SIZE 1024
#define PATH_SIZE  4096
/* Workers are gone; how long the answers to `stop` may still take to be read. */
#define LAST_ANSWERS_MS 1000

static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2, SIGTTIN, SIGTTOU};
#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

struct controller {
	const struct config *config;
	const struct thread_host *threads;
	struct rundir rundir;
	struct identity identity;
	uint8_t seed[STICKY_SEED_SIZE];
	struct rlimit nofile; /* as we found it */
	char directory[PATH_SIZE];
	char notify_path[RUNDIR_PATH_SIZE];
	struct event_base *base;
	struct event *signal_events[SIGNAL_COUNT];
	struct processes *processes;
	struct runner runner;
	struct instance instance;
	struct journal *journal;
	struct slotsfile slotsfile;
	struct takeover takeover; /* what a former controller left; empty: nothing */
	bool takes_over;
	char pins[PINS_PATH_SIZE]; /* "": not pinned */
	char program[UPGRADE_PATH_SIZE];
	struct api *api;
	struct event *stop_timer; /* --stop-delay */
	bool stop_announced;
	bool interrupted; /* a SIGINT was seen */
	int exit_code;
};

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;

	fputs("stickyctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- Stopping ------------------------------------------------------------------- */

static void on_stop_delay_over(evutil_socket_t fd, short what, void *context)
{
	struct controller *controller = context;

	(void)fd;
	(void)what;
	supervisor_stop(controller->instance.supervisor, false);
}

static void stop(struct controller *controller, bool now, const char *why)
{
	uint32_t delay_ms = controller->config->stop_delay_ms;

	journal_add(controller->journal, STICKY_LOG_INFO, "stopping",
		    json_pack("{s:s, s:s}", "why", why, "how", now ? "now" : "graceful"));
	if (!now && delay_ms && !controller->stop_announced) {
		struct timeval delay = {.tv_sec = delay_ms / 1000,
					.tv_usec = delay_ms % 1000 * 1000};

		event_add(controller->stop_timer, &delay);
	} else if (now || !delay_ms) {
		supervisor_stop(controller->instance.supervisor, now);
	}
	controller->stop_announced = true;
}

/* ---- Reload and scale ------------------------------------------------------------- */

static int reload(struct controller *controller, char error[API_ERROR_SIZE])
{
	int result = supervisor_reload(controller->instance.supervisor);

	if (result < 0)
		snprintf(error, API_ERROR_SIZE, "reload: the instance is stopping");
	return result;
}

static int on_reload_request(void *context, char error[API_ERROR_SIZE])
{
	return reload(context, error);
}

static void reload_by_signal(struct controller *controller)
{
	char error[API_ERROR_SIZE];

	if (reload(controller, error) < 0)
		report(STICKY_LOG_WARN, "reload_refused", "why=\"%s\"", error);
}

static void scale_by_signal(struct controller *controller, int by)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	int slots = (int)supervisor_slots(supervisor) + by;
	int moved = slots < 1 ? -EINVAL : supervisor_scale(supervisor, (uint32_t)slots);

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
		stop(controller, again, "SIGINT");
		break;
	case SIGTERM:
		stop(controller, false, "SIGTERM");
		break;
	case SIGQUIT:
		stop(controller, true, "SIGQUIT");
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
	stop(context, now, "request");
}

static void on_answered(void *context)
{
	struct controller *controller = context;

	event_base_loopexit(controller->base, NULL);
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
	/* The answers to `stop` go out first; a client that does not read them is not waited for.
	 */
	if (api_answer_stop(controller->api, result == SUPERVISOR_KILLED) > 0)
		event_base_loopexit(controller->base, &grace);
	else
		event_base_loopexit(controller->base, NULL);
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
	return upgrade_check(controller->program, error, API_ERROR_SIZE);
}

/* By the way that a crash would take, too: the new program takes over what this one leaves. */
static void on_upgrade(void *context)
{
	struct controller *controller = context;
	struct rlimit limit;
	int error;

	journal_add(controller->journal, STICKY_LOG_INFO, "upgrading",
		    json_pack("{s:s}", "program", controller->program));
	getrlimit(RLIMIT_NOFILE, &limit);
	setrlimit(RLIMIT_NOFILE, &controller->nofile);
	error = rundir_keep_over_exec(&controller->rundir, true);
	if (!error)
		error = upgrade_execute(controller->program, controller->config->arguments);
	rundir_keep_over_exec(&controller->rundir, false);
	setrlimit(RLIMIT_NOFILE, &limit);
	journal_add(
		controller->journal, STICKY_LOG_ERROR, "upgrade_failed",
		json_pack("{s:s, s:s}", "program", controller->program, "error", strerror(-error)));
}

/* ---- Setting up: each step complains by itself, and returns an exit code ---------- */

static int take_name(struct controller *controller)
{
	const struct config *config = controller->config;
	char error[ERROR_SIZE] = "";
	pid_t pid = 0;
	int result = rundir_take(config->run_dir, config->name, &controller->rundir, &pid, error,
				 sizeof(error));

	if (!result)
		return EXIT_DONE;
	if (result == -EEXIST) {
		complain("an instance named '%s' is running already, pid %d\n"
			 "stop it by 'stickyctl stop', or name another one by -n",
			 config->name, pid);
		return EXIT_ALREADY_RUNNING;
	}
	complain("%s", error);
	if (result == -ENAMETOOLONG)
		return EXIT_USAGE;
	return result == -EPERM || result == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int find_identity(struct controller *controller)
{
	char error[ERROR_SIZE];
	int result;

	if (!controller->config->command)
		return EXIT_DONE;
	result = identity_find(controller->config->user, &controller->identity, error,
			       sizeof(error));
	if (result) {
		complain("%s", error);
		return result == -EPERM ? EXIT_NOT_PERMITTED : EXIT_USAGE;
	}
	if (controller->identity.change)
		report(STICKY_LOG_INFO, "workers_run_as", "user=%s uid=%u gid=%u because=%s",
		       controller->identity.name, controller->identity.uid,
		       controller->identity.gid, controller->config->user ? "--user" : "sudo");
	return EXIT_DONE;
}

/* The present directory as it was typed, links kept, so that a release can change under it. */
static int find_here(char here[PATH_SIZE])
{
	const char *typed = getenv("PWD");
	struct stat dot, there;

	if (typed && typed[0] == '/' && strlen(typed) < PATH_SIZE && !stat(typed, &there) &&
	    !stat(".", &dot) && dot.st_dev == there.st_dev && dot.st_ino == there.st_ino) {
		strcpy(here, typed);
		return 0;
	}
	return getcwd(here, PATH_SIZE) ? 0 : -errno;
}

static int find_directory(struct controller *controller)
{
	const char *chosen = controller->config->chdir;
	char here[PATH_SIZE] = "";
	int error = 0;

	if (!controller->config->command)
		return EXIT_DONE;
	if (!chosen || chosen[0] != '/')
		error = find_here(here);
	if (error) {
		complain("the present directory can't be found: %s\nname one by --chdir",
			 strerror(-error));
		return EXIT_FAILED;
	}
	if ((size_t)snprintf(controller->directory, PATH_SIZE, "%s%s%s", here,
			     chosen && here[0] ? "/" : "", chosen ? chosen : "") >= PATH_SIZE) {
		complain("--chdir: the name is too long");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int obtain_seed(struct controller *controller)
{
	char error[ERROR_SIZE];
	int result = seed_obtain(controller->config->state_dir, controller->config->name,
				 controller->seed, error, sizeof(error));

	if (result == 1) {
		report(STICKY_LOG_WARN, "seed_not_kept",
		       "why=\"%s\" so=\"clients get other workers after a restart\"", error);
		return EXIT_DONE;
	}
	if (result)
		complain("%s", error);
	return result ? result == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED : EXIT_DONE;
}

/* A socket a slot, and more while slots change hands: take what we may have. */
static void raise_descriptor_limit(struct controller *controller)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &controller->nofile))
		return;
	limit = controller->nofile;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static uint32_t wanted_slots(const struct config *config)
{
	return config->workers ? config->workers : cpus_usable();
}

static struct sticky_group_options group_options(const struct controller *controller)
{
	const struct config *config = controller->config;

	return (struct sticky_group_options){
		.size = sizeof(struct sticky_group_options),
		.slots = wanted_slots(config),
		.backlog = config->backlog,
		.v4_prefix = config->v4_prefix,
		.v6_prefix = config->v6_prefix,
		.seed = controller->seed,
		.log = report_from_library,
	};
}

/* Look for workers that a former controller of this name left. */
static int find_takeover(struct controller *controller)
{
	char path[RUNDIR_PATH_SIZE];

	if (!controller->config->command ||
	    rundir_file(controller->rundir.path, "slots", sizeof(path), path))
		return EXIT_DONE;
	controller->takes_over = takeover_find(path, &controller->takeover) == 0;
	return EXIT_DONE;
}

static int adopt_listeners(struct controller *controller)
{
	const int *fds = takeover_sockets(&controller->takeover);
	uint32_t i;
	int result = 0;

	for (i = 0; i < controller->takeover.content->listeners && result >= 0; i++)
		result = sticky_group_adopt_listener(controller->instance.group, fds[i]);
	return result < 0 ? result : 0;
}

/*
 * Go on with the maps of the former controller. Where that can't be its workers are ended, and
 * everything begins anew: nobody would be left to look after them.
 */
static void adopt_group(struct controller *controller)
{
	struct sticky_group_options options = group_options(controller);
	int error;

	pins_locate(controller->config->name, controller->pins);
	error = sticky_group_adopt(&options, controller->pins, &controller->instance.group);
	if (!error)
		error = adopt_listeners(controller);
	if (!error)
		return;
	report(STICKY_LOG_ERROR, "takeover_failed",
	       "error=\"%s\" so=\"the former controller's workers are ended\"", strerror(-error));
	sticky_group_close(controller->instance.group);
	controller->instance.group = NULL;
	takeover_kill(&controller->takeover);
	takeover_fini(&controller->takeover);
	controller->takes_over = false;
}

static int open_group(struct controller *controller)
{
	struct sticky_group_options options = group_options(controller);
	int error;

	if (controller->takes_over)
		adopt_group(controller);
	if (controller->takes_over)
		return EXIT_DONE;
	error = sticky_group_open(&options, &controller->instance.group);
	if (!error)
		return EXIT_DONE;
	if (error == -EPERM)
		complain("BPF is not permitted: the kernel needs CAP_BPF to place connections\n"
			 "run it as root or by sudo, or give it the capability: setcap "
			 "cap_bpf,cap_net_bind_service+ep stickyctl");
	else if (error == -EOPNOTSUPP)
		complain("this kernel can't place connections: Linux 5.14 or later with BPF is "
			 "needed; see 'stickyctl doctor'");
	else
		complain("cannot set up the kernel's side: %s; see 'stickyctl doctor'",
			 strerror(-error));
	return error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int open_listeners(struct controller *controller)
{
	const struct config *config = controller->config;
	char error[ERROR_SIZE];
	size_t i;
	int result = 0;

	if (controller->takes_over)
		return EXIT_DONE;
	if (!config->listen.count && config->command) {
		complain("no address to listen on: name one by -l, e.g. -l 127.0.0.1:3000");
		return EXIT_USAGE;
	}
	if (!config->listen.count)
		result = listen_on(controller->instance.group, controller->threads->listen, error,
				   sizeof(error));
	for (i = 0; i < config->listen.count && result >= 0; i++)
		result = listen_on(controller->instance.group, config->listen.items[i], error,
				   sizeof(error));
	if (result >= 0)
		return EXIT_DONE;
	complain("%s", error);
	return result == -EACCES		       ? EXIT_NOT_PERMITTED
	       : result == -EINVAL || result == -E2BIG ? EXIT_USAGE
						       : EXIT_FAILED;
}

/* So that a controller that follows can go on with the maps. */
static void pin_group(struct controller *controller)
{
	char why[ERROR_SIZE];
	int error = pins_make(controller->config->name, controller->pins, why, sizeof(why));

	if (!error) {
		error = sticky_group_pin(controller->instance.group, controller->pins);
		if (error)
			snprintf(why, sizeof(why), "%s: %s", controller->pins, strerror(-error));
	}
	if (!error)
		return;
	report(STICKY_LOG_WARN, "takeover_unavailable",
	       "why=\"%s\" so=\"if this controller dies its workers can't be taken over\"", why);
	controller->pins[0] = '\0';
}

/* What is noted for a controller that follows. */
static int open_slotsfile(struct controller *controller)
{
	struct slotsfile_content *content;
	char path[RUNDIR_PATH_SIZE];
	int error;

	if (!controller->config->command)
		return EXIT_DONE;
	error = rundir_file(controller->rundir.path, "slots", sizeof(path), path);
	if (!error)
		error = slotsfile_create(path, &controller->slotsfile);
	if (error) {
		complain("cannot make %s: %s", path, strerror(-error));
		return EXIT_FAILED;
	}
	content = controller->slotsfile.content;
	content->slots = sticky_group_slots(controller->instance.group);
	content->listeners = sticky_group_listener_count(controller->instance.group);
	content->configured_slots = wanted_slots(controller->config);
	content->config_id = config_id(controller->config, controller->directory);
	if (controller->takes_over) {
		content->workers_speak = controller->takeover.content->workers_speak;
		content->answered = controller->takeover.content->answered;
	} else {
		pin_group(controller);
	}
	return EXIT_DONE;
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

	options.port_count = listen_ports(controller->instance.group, options.ports);
	if (!error)
		error = processes_open(&options, &controller->processes);
	if (error) {
		complain("cannot make %s: %s", controller->notify_path, strerror(-error));
		return EXIT_FAILED;
	}
	controller->runner = processes_runner(controller->processes);
	return EXIT_DONE;
}

static int open_threads(struct controller *controller)
{
	int error = controller->threads->open(controller->base, controller->instance.group,
					      &controller->runner);

	if (error)
		complain("cannot set up the demo's threads: %s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int open_supervisor(struct controller *controller)
{
	struct supervisor_options options = {
		.base = controller->base,
		.group = controller->instance.group,
		.runner = controller->runner,
		.journal = controller->journal,
		.config = controller->config,
		.slotsfile = &controller->slotsfile,
		.finished = on_finished,
		.context = controller,
	};
	int error = supervisor_open(&options, &controller->instance.supervisor);

	if (error)
		complain("%s", strerror(-error));
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
	controller->instance.config = controller->config;
	controller->instance.runner = controller->runner;
	controller->instance.started_ms = clock_ms();
	format_started_at(controller->instance.started_at);
	if (!error)
		error = api_open(controller->base, path, &controller->instance, &orders,
				 &controller->api);
	if (error)
		complain("cannot make %s: %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

/* The lives that the former controller left go on under this one. */
static void adopt_lives(struct controller *controller)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	struct takeover *takeover = &controller->takeover;
	uint32_t i;

	/* A kill in the middle of a scaling leaves notes of one more slot, or of one less. */
	for (i = 0; i < takeover->content->slots && i < supervisor_slots(supervisor); i++)
		supervisor_adopt_slot(supervisor, i, &takeover->content->slot[i]);
	for (i = 0; i < takeover->count; i++) {
		struct adopted_life *life = &takeover->lives[i];
		int error = supervisor_adopt(supervisor, life);

		life->pidfd = -1; /* taken over, or closed */
		if (error)
			report(STICKY_LOG_ERROR, "adopt_failed", "slot=%u pid=%d error=\"%s\"",
			       life->record.slot, life->record.pid, strerror(-error));
	}
}

/* The notes are complete, and take the place of the former controller's. */
static int install_notes(struct controller *controller)
{
	char path[RUNDIR_PATH_SIZE];
	int error = rundir_file(controller->rundir.path, "slots", sizeof(path), path);

	if (!error && controller->slotsfile.content)
		error = slotsfile_install(path);
	if (error)
		complain("cannot make %s: %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int take_over(struct controller *controller)
{
	int error;

	if (!controller->takes_over)
		return install_notes(controller);
	adopt_lives(controller);
	if (install_notes(controller))
		return EXIT_FAILED;
	error = sticky_group_finish_adoption(controller->instance.group);
	if (error) {
		complain("cannot take over the former controller's slots: %s", strerror(-error));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* What the new command line asks for, and the former one did not. */
static void apply_differences(struct controller *controller)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	const struct slotsfile_content *former = controller->takeover.content;
	uint32_t slots = wanted_slots(controller->config);
	int moved;

	if (former->configured_slots != slots) {
		moved = supervisor_scale(supervisor, slots);
		if (moved < 0)
			report(STICKY_LOG_ERROR, "scale_failed", "slots=%u error=\"%s\"", slots,
			       strerror(-moved));
	}
	if (former->config_id != config_id(controller->config, controller->directory))
		supervisor_reload(supervisor);
}

static int watch_signals(struct controller *controller)
{
	size_t i;

	for (i = 0; i < SIGNAL_COUNT; i++) {
		controller->signal_events[i] =
			evsignal_new(controller->base, signals[i], on_signal, controller);
		if (!controller->signal_events[i] ||
		    event_add(controller->signal_events[i], NULL)) {
			complain("%s", strerror(ENOMEM));
			return EXIT_FAILED;
		}
	}
	return EXIT_DONE;
}

/*
 * What must not end the controller, and leave its workers alone: a reader of our output that
 * goes away; a signal that means "open the log again" to other servers.
 */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGUSR1};
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Timers count from now, not from the beginning of the loop's turn: none may be early. */
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
		complain("cannot make an event loop: %s", strerror(errno));
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
	(void)controller;
	if (privilege_shrink() == 0)
		return EXIT_DONE;
	complain("cannot give up capabilities that are not needed");
	return EXIT_FAILED;
}

/* In this order; teardown() undoes whatever was reached. */
static int (*const steps[])(struct controller *controller) = {
	take_name,	 find_identity,	 find_directory, obtain_seed,	   find_takeover,
	open_group,	 open_listeners, open_loop,	 open_slotsfile,   open_workers,
	open_supervisor, take_over,	 open_api,	 shrink_privilege,
};

static void teardown(struct controller *controller)
{
	size_t i;

	api_close(controller->api);
	supervisor_close(controller->instance.supervisor);
	processes_close(controller->processes);
	if (!controller->config->command && controller->runner.ops)
		controller->threads->close(&controller->runner);
	for (i = 0; i < SIGNAL_COUNT; i++)
		if (controller->signal_events[i])
			event_free(controller->signal_events[i]);
	if (controller->stop_timer)
		event_free(controller->stop_timer);
	if (controller->base)
		event_base_free(controller->base);
	journal_close(controller->journal);
	sticky_group_close(controller->instance.group); /* and its pins */
	pins_remove(controller->pins);
	takeover_fini(&controller->takeover);
	slotsfile_close(&controller->slotsfile);
	identity_fini(&controller->identity);
	rundir_release(&controller->rundir);
}

static void report_start(const struct controller *controller)
{
	struct sticky_group *group = controller->instance.group;
	char addresses[STICKY_LISTENERS_LIMIT * (STICKY_ADDRESS_TEXT_SIZE + 1)];

	listen_describe(group, sizeof(addresses), addresses);
	report(STICKY_LOG_INFO, "starting",
	       "name=%s pid=%d listen=%s slots=%u steering=kernel seed_id=%08x "
	       "control=%s/control.sock%s",
	       controller->config->name, getpid(), addresses, sticky_group_slots(group),
	       sticky_group_seed_id(group), controller->rundir.path,
	       controller->takes_over ? " took_over=yes" : "");
}

int controller_run(const struct config *config, const struct thread_host *threads)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	size_t step;
	int result = EXIT_DONE;

	if (!controller) {
		complain("%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	controller->config = config;
	controller->threads = threads;
	controller->rundir.lock = -1;
	raise_descriptor_limit(controller);
	if (upgrade_find_program(controller->program))
		controller->program[0] = '\0';
	for (step = 0; !result && step < sizeof(steps) / sizeof(steps[0]); step++)
		result = steps[step](controller);
	if (!result) {
		report_start(controller);
		supervisor_start(controller->instance.supervisor);
		if (controller->takes_over)
			apply_differences(controller);
		takeover_fini(&controller->takeover);
		event_base_dispatch(controller->base);
		result = controller->exit_code;
	}
	teardown(controller);
	free(controller);
	return result;
}
