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
#include "processes.h"
#include "report.h"
#include "rundir.h"
#include "seed.h"
#include "supervisor.h"

#define ERROR_SIZE 1024
#define PATH_SIZE  4096
/* Workers are gone; how long the answers to `stop` may still take to be read. */
#define LAST_ANSWERS_MS 1000

static const int signals[] = {SIGTERM, SIGINT, SIGQUIT};
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
	struct api *api;
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

static void stop(struct controller *controller, bool now, const char *why)
{
	report(STICKY_LOG_INFO, "stopping", "why=%s how=%s", why, now ? "now" : "graceful");
	supervisor_stop(controller->instance.supervisor, now);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct controller *controller = context;
	bool now = number == SIGQUIT || (number == SIGINT && controller->interrupted);

	(void)what;
	controller->interrupted |= number == SIGINT;
	stop(controller, now,
	     number == SIGINT	 ? "SIGINT"
	     : number == SIGQUIT ? "SIGQUIT"
				 : "SIGTERM");
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
	report(STICKY_LOG_INFO, "stopped", "exit_code=%d", controller->exit_code);
	/* The answers to `stop` go out first; a client that does not read them is not waited for.
	 */
	if (api_answer_stop(controller->api, result == SUPERVISOR_KILLED) > 0)
		event_base_loopexit(controller->base, &grace);
	else
		event_base_loopexit(controller->base, NULL);
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

static int open_group(struct controller *controller)
{
	const struct config *config = controller->config;
	struct sticky_group_options options = {
		.size = sizeof(options),
		.slots = config->workers ? config->workers : cpus_usable(),
		.backlog = config->backlog,
		.v4_prefix = config->v4_prefix,
		.v6_prefix = config->v6_prefix,
		.seed = controller->seed,
		.log = report_from_library,
	};
	int error = sticky_group_open(&options, &controller->instance.group);

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
	const struct config *config = controller->config;
	struct supervisor_options options = {
		.base = controller->base,
		.group = controller->instance.group,
		.runner = controller->runner,
		.ready = (enum ready_mode)config->ready,
		.min_uptime_ms = config->min_uptime_ms,
		.ready_timeout_ms = config->ready_timeout_ms,
		.hard_shutdown_delay_ms = config->hard_shutdown_delay_ms,
		.finished = on_finished,
		.context = controller,
	};
	int error = supervisor_open(&options, &controller->instance.supervisor);

	if (error)
		complain("%s", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

static int open_api(struct controller *controller)
{
	char path[RUNDIR_PATH_SIZE];
	int error = rundir_file(controller->rundir.path, "control.sock", sizeof(path), path);

	controller->instance.config = controller->config;
	controller->instance.runner = controller->runner;
	controller->instance.started_ms = clock_ms();
	if (!error)
		error = api_open(controller->base, path, &controller->instance, on_stop_request,
				 on_answered, controller, &controller->api);
	if (error)
		complain("cannot make %s: %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
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
 * What must not end the controller: workers would be left alone. A reader of our output that
 * goes away, a terminal that is closed, signals that mean something to other servers.
 */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

static int open_loop(struct controller *controller)
{
	ignore_signals();
	controller->base = event_base_new();
	if (!controller->base) {
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
	take_name, find_identity, find_directory,  obtain_seed, open_group,	  open_listeners,
	open_loop, open_workers,  open_supervisor, open_api,	shrink_privilege,
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
	if (controller->base)
		event_base_free(controller->base);
	sticky_group_close(controller->instance.group);
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
	       "control=%s/control.sock",
	       controller->config->name, getpid(), addresses, sticky_group_slots(group),
	       sticky_group_seed_id(group), controller->rundir.path);
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
	for (step = 0; !result && step < sizeof(steps) / sizeof(steps[0]); step++)
		result = steps[step](controller);
	if (!result) {
		report_start(controller);
		supervisor_start(controller->instance.supervisor);
		event_base_dispatch(controller->base);
		result = controller->exit_code;
	}
	teardown(controller);
	free(controller);
	return result;
}
