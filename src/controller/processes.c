// SPDX-License-Identifier: MIT
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candidates.h"
#include "environment.h"
#include "notify.h"
#include "output.h"
#include "privilege.h"
#include "procusage.h"
#include "report.h"
#include "spawn.h"
#include "supervisor.h"
#include "workerenv.h"

struct process {
	struct processes *processes;
	struct process *next;
	struct worker *worker;
	pid_t pid; /* and process group */
	bool reaped;
	int status_fd; /* -1: it runs its program, or said why not */
	struct event *status_event;
	struct spawn_failure failure; /* stage SPAWN_STAGE_COUNT: none */
	int pidfd;		      /* of one that a former controller began; else -1 */
	struct event *pidfd_event;
	struct output_tail *tail;	/* of what it printed */
	struct output_tail *error_tail; /* its complaints, which a flood of output must not hide */
	struct output_source *output;
	struct output_source *error_output;
};

struct processes {
	struct processes_options options;
	struct process *list;
	struct event *child_event;
	struct notify *notify;
	struct output_sink *output;
	struct output_sink *error_output;
};

/* ---- Starting ------------------------------------------------------------------- */

static void close_pair(int pair[2])
{
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
}

#define PREFIX_SIZE 32

/* On a terminal each line says whose it is; else bytes are passed on as they come. */
static void make_prefix(const struct process *process, char prefix[PREFIX_SIZE])
{
	prefix[0] = '\0';
	if (isatty(STDERR_FILENO))
		snprintf(prefix, PREFIX_SIZE, "[%u] ", worker_slot(process->worker));
}

/* A pipe for one stream of a worker; its reading end goes into a source. */
static int open_stream(struct process *process, struct output_sink *sink, struct output_tail *tail,
		       struct output_source **ret_source, int *ret_write_end)
{
	char prefix[PREFIX_SIZE];
	int ends[2], error;

	make_prefix(process, prefix);
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	error = output_source_open(process->processes->options.base, ends[0], sink, prefix, tail,
				   ret_source);
	if (error) {
		close_pair(ends);
		return error;
	}
	*ret_write_end = ends[1];
	return 0;
}

static void on_status(evutil_socket_t fd, short what, void *context);

static int watch_status(struct process *process)
{
	process->status_event = event_new(process->processes->options.base, process->status_fd,
					  EV_READ, on_status, process);
	return process->status_event && !event_add(process->status_event, NULL) ? 0 : -ENOMEM;
}

static int spawn_with(struct process *process, struct sticky_worker *life,
		      const struct environment *environment, int output, int error_output)
{
	const struct processes_options *options = &process->processes->options;
	char **command = options->config->command;
	struct candidates candidates;
	int sockets[SPAWN_SOCKETS_MAX];
	struct spawn_request request = {
		.argv = command,
		.envp = environment->items,
		.listen_pid = (char *)environment_get(environment, "LISTEN_PID"),
		.directory = options->directory,
		.identity = options->identity,
		.sockets = sockets,
		.output = output,
		.error_output = error_output,
		.noted_pid = worker_noted_pid(process->worker),
		.nofile = options->nofile,
	};
	int error;

	while ((sockets[request.socket_count] =
			sticky_worker_fd(life, (uint32_t)request.socket_count)) >= 0)
		request.socket_count++;
	request.kept[0] = output_source_fd(process->output);
	request.kept[1] = output_source_fd(process->error_output);
	error = candidates_find(command[0], environment_get(environment, "PATH"), &candidates);
	if (error)
		return error;
	request.files = candidates.files;
	privilege_raise(CAP_SETUID);
	privilege_raise(CAP_SETGID);
	error = spawn_start(&request, &process->pid, &process->status_fd);
	privilege_lower();
	candidates_fini(&candidates);
	return error ? error : watch_status(process);
}

static uint32_t count_sockets(const struct sticky_worker *life)
{
	uint32_t count = 0;

	while (sticky_worker_fd(life, count) >= 0)
		count++;
	return count;
}

static int build_environment(const struct process *process, const struct sticky_worker *life,
			     struct environment *environment)
{
	const struct processes_options *options = &process->processes->options;
	const struct worker_environment spec = {
		.config = options->config,
		.identity = options->identity,
		.directory = options->directory,
		.notify_path = options->notify_path,
		.slot = worker_slot(process->worker),
		.generation = worker_generation(process->worker),
		.port = options->ports[0],
		.socket_count = count_sockets(life),
	};

	return worker_environment(&spec, environment);
}

static int open_tails(struct process *process)
{
	int error = output_tail_open(&process->tail);

	return error ? error : output_tail_open(&process->error_tail);
}

static int begin(struct process *process, struct sticky_worker *life)
{
	struct processes *processes = process->processes;
	struct environment environment = {0};
	int output = -1, error_output = -1;
	int error;

	error = open_tails(process);
	if (!error)
		error = open_stream(process, processes->output, process->tail, &process->output,
				    &output);
	if (!error)
		error = open_stream(process, processes->error_output, process->error_tail,
				    &process->error_output, &error_output);
	if (!error)
		error = build_environment(process, life, &environment);
	if (!error)
		error = spawn_with(process, life, &environment, output, error_output);
	environment_fini(&environment);
	if (output >= 0)
		close(output);
	if (error_output >= 0)
		close(error_output);
	return error;
}

static void process_release(void *run);

static struct process *new_process(struct processes *processes, struct worker *worker)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->processes = processes;
	process->worker = worker;
	process->status_fd = -1;
	process->pidfd = -1;
	process->failure.stage = SPAWN_STAGE_COUNT;
	process->next = processes->list;
	processes->list = process;
	return process;
}

static int process_start(void *context, struct worker *worker, struct sticky_worker *life,
			 void **ret_run)
{
	struct process *process = new_process(context, worker);
	int error;

	if (!process)
		return -ENOMEM;
	error = begin(process, life);
	if (error && !process->pid) {
		process_release(process);
		return error;
	}
	*ret_run = process;
	return 0;
}

/* ---- What becomes of it --------------------------------------------------------- */

static const char *const stage_texts[SPAWN_STAGE_COUNT] = {
	[SPAWN_DESCRIPTORS] = "cannot set up its descriptors",
	[SPAWN_IDENTITY] = "cannot change to the user",
	[SPAWN_DIRECTORY] = "cannot change to the directory",
	[SPAWN_EXEC] = "cannot run",
};

static void close_status(struct process *process)
{
	if (process->status_event)
		event_free(process->status_event);
	process->status_event = NULL;
	if (process->status_fd >= 0)
		close(process->status_fd);
	process->status_fd = -1;
}

/* Returns true where the program runs. */
static bool read_status(struct process *process)
{
	struct spawn_failure failure;
	ssize_t length;

	if (process->status_fd < 0)
		return false;
	length = read(process->status_fd, &failure, sizeof(failure));
	if (length < 0 && errno == EAGAIN)
		return false;
	if (length == sizeof(failure) && failure.stage < SPAWN_STAGE_COUNT)
		process->failure = failure;
	close_status(process);
	return length == 0;
}

static void on_status(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;

	(void)fd;
	(void)what;
	if (read_status(process))
		supervisor_worker_started(process->worker);
}

/* What the user can do about a command that can't be run. */
static const char *exec_hint(int error)
{
	switch (error) {
	case ENOENT:
		return "check the command behind '--', and PATH";
	case EACCES:
		return "make it executable (chmod +x) for the user that workers run as";
	case ENOEXEC:
		return "it is no program, and has no '#!' line: name its interpreter";
	default:
		return NULL;
	}
}

static void describe_failure(const struct process *process, struct run_exit *ret_exit)
{
	const struct processes_options *options = &process->processes->options;
	const struct spawn_failure *failure = &process->failure;
	const char *what = failure->stage == SPAWN_EXEC	       ? options->config->command[0]
			   : failure->stage == SPAWN_DIRECTORY ? options->directory
			   : failure->stage == SPAWN_IDENTITY  ? options->identity->name
							       : "";

	snprintf(ret_exit->text, sizeof(ret_exit->text), "%s %.100s: %s",
		 stage_texts[failure->stage], what, strerror(failure->error));
	if (failure->stage == SPAWN_EXEC)
		ret_exit->hint = exec_hint(failure->error);
}

static void describe_exit(const struct process *process, const siginfo_t *info,
			  struct run_exit *ret_exit)
{
	*ret_exit = (struct run_exit){.code = -1};
	if (info->si_code == CLD_EXITED) {
		ret_exit->code = info->si_status;
		ret_exit->ok = info->si_status == 0;
		snprintf(ret_exit->text, sizeof(ret_exit->text), "exited with code %d",
			 info->si_status);
	} else {
		ret_exit->signal = info->si_status;
		snprintf(ret_exit->text, sizeof(ret_exit->text), "was killed by SIG%s%s",
			 sigabbrev_np(info->si_status),
			 info->si_code == CLD_DUMPED ? " (core dumped)" : "");
	}
	if (process->failure.stage != SPAWN_STAGE_COUNT)
		describe_failure(process, ret_exit);
}

static void kill_group(struct process *process, int signal)
{
	int error;

	if (process->reaped)
		return;
	privilege_raise(CAP_KILL);
	error = kill(-process->pid, signal) ? errno : 0;
	privilege_lower();
	/* ESRCH: between fork() and setpgid(), which both sides call, or a zombie alone. */
	if (error && error != ESRCH)
		report(STICKY_LOG_ERROR, "kill_failed", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(process->worker), process->pid, strerror(error));
}

static struct process *find(const struct processes *processes, pid_t pid)
{
	struct process *process = processes->list;

	while (process && (process->pid != pid || process->reaped))
		process = process->next;
	return process;
}

static void on_exit_of(struct process *process, const siginfo_t *info)
{
	struct run_exit how;

	/* While the leader is a zombie its number can't be anybody else's group. */
	kill_group(process, SIGKILL);
	waitpid(process->pid, NULL, 0);
	process->reaped = true;
	read_status(process);
	close_status(process);
	output_source_drain(process->output);
	output_source_drain(process->error_output);
	describe_exit(process, info, &how);
	supervisor_worker_exited(process->worker, &how); /* frees the process */
}

/* All that ended by now: workers, and as PID 1 of a container others' orphans. */
static void reap(struct processes *processes)
{
	for (;;) {
		siginfo_t info = {0};
		struct process *process;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
			return;
		process = find(processes, info.si_pid);
		if (process)
			on_exit_of(process, &info);
		else
			waitpid(info.si_pid, NULL, 0);
	}
}

static void on_child(evutil_socket_t signal, short what, void *context)
{
	struct processes *processes = context;

	(void)signal;
	(void)what;
	/* What a process said before it ended counts; who it was is known until it is reaped. */
	notify_drain(processes->notify);
	reap(processes);
}

static void on_notify(void *context, pid_t group, const struct notify_message *message)
{
	const struct process *process = find(context, group);

	if (!process)
		return;
	if (message->status)
		supervisor_worker_status(process->worker, message->status);
	/* READY first: a worker that says both at once has been ready. */
	if (message->ready)
		supervisor_worker_said(process->worker, WORKER_SAYS_READY);
	if (message->stopping)
		supervisor_worker_said(process->worker, WORKER_SAYS_STOPS);
	else if (message->alive)
		supervisor_worker_said(process->worker, WORKER_SAYS_ALIVE);
	else if (!message->ready)
		supervisor_worker_said(process->worker, WORKER_SAYS_NOTHING_KNOWN);
}

/* ---- One that a former controller began --------------------------------------------- */

/* How it ended is its parent's to know, and that is not us. */
static void end_adopted(struct process *process)
{
	struct run_exit how = {.code = -1, .text = "ended (how, only its former parent knows)"};

	kill_group(process, SIGKILL);
	process->reaped = true;
	output_source_drain(process->output);
	output_source_drain(process->error_output);
	supervisor_worker_exited(process->worker, &how); /* frees the process */
}

static void on_pidfd(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;
	siginfo_t info = {0};

	(void)what;
	/* Over an upgrade our children stay ours: then it is reaped like any other. */
	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		reap(process->processes);
	else
		end_adopted(process);
}

/* Is this descriptor of ours the same pipe as one of a process's? */
static bool is_pipe_of(int fd, pid_t pid, int number)
{
	struct stat ours, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	return fstat(fd, &ours) == 0 && stat(path, &its) == 0 && S_ISFIFO(ours.st_mode) &&
	       ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

/* Fetch the reading end of a stream, which the worker keeps for us. NULL: it did not. */
static struct output_source *fetch_stream(struct process *process, int kept, int stream,
					  struct output_sink *sink, struct output_tail *tail)
{
	const struct processes_options *options = &process->processes->options;
	int number = SPAWN_FIRST_SOCKET + (int)options->port_count + kept;
	struct output_source *source = NULL;
	char prefix[PREFIX_SIZE];
	int fd = (int)syscall(SYS_pidfd_getfd, process->pidfd, number, 0);

	if (fd < 0)
		return NULL;
	make_prefix(process, prefix);
	if (!is_pipe_of(fd, process->pid, stream) ||
	    output_source_open(options->base, fd, sink, prefix, tail, &source))
		close(fd);
	return source;
}

static int process_adopt(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_run)
{
	struct processes *processes = context;
	struct process *process = new_process(processes, worker);
	int error;

	if (!process) {
		close(pidfd);
		return -ENOMEM;
	}
	process->pid = pid;
	process->pidfd = pidfd;
	error = open_tails(process);
	if (!error) {
		process->pidfd_event =
			event_new(processes->options.base, pidfd, EV_READ, on_pidfd, process);
		error = process->pidfd_event && !event_add(process->pidfd_event, NULL) ? 0
										       : -ENOMEM;
	}
	if (error) {
		process_release(process);
		return error;
	}
	/* Without them its output is lost, but it is served. */
	process->output = fetch_stream(process, 0, STDOUT_FILENO, processes->output, process->tail);
	process->error_output = fetch_stream(process, 1, STDERR_FILENO, processes->error_output,
					     process->error_tail);
	*ret_run = process;
	return 0;
}

/* ---- The runner ----------------------------------------------------------------- */

static void process_stop(void *run)
{
	struct process *process = run;

	/* To the leader alone: it knows how its own children are to be stopped. */
	if (process->reaped)
		return;
	privilege_raise(CAP_KILL);
	if (kill(process->pid, SIGTERM))
		report(STICKY_LOG_ERROR, "kill_failed", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(process->worker), process->pid, strerror(errno));
	privilege_lower();
}

static void process_kill(void *run)
{
	kill_group(run, SIGKILL);
}

static void process_release(void *run)
{
	struct process *process = run;
	struct process **link = &process->processes->list;

	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	close_status(process);
	if (process->pidfd_event)
		event_free(process->pidfd_event);
	if (process->pidfd >= 0)
		close(process->pidfd);
	output_source_close(process->output);
	output_source_close(process->error_output);
	output_tail_close(process->tail);
	output_tail_close(process->error_tail);
	free(process);
}

static pid_t process_pid(const void *run)
{
	return ((const struct process *)run)->pid;
}

static void process_last_lines(const void *run, size_t size, char *ret_text)
{
	const struct process *process = run;

	output_tail_read(process->error_tail, size, ret_text);
	if (!ret_text[0])
		output_tail_read(process->tail, size, ret_text);
}

static void processes_measure(void *context, void *const *runs, uint32_t count,
			      struct run_usage *ret_usages)
{
	const struct processes_options *options = &((struct processes *)context)->options;
	pid_t *groups = calloc(count, sizeof(*groups));
	uint32_t i;

	memset(ret_usages, 0, count * sizeof(*ret_usages));
	if (!groups)
		return;
	for (i = 0; i < count; i++)
		groups[i] = process_pid(runs[i]);
	privilege_raise(CAP_SYS_PTRACE);
	privilege_raise(CAP_DAC_READ_SEARCH);
	procusage_measure(groups, count, options->ports, options->port_count, ret_usages);
	privilege_lower();
	free(groups);
}

static const struct runner_ops ops = {
	.start = process_start,
	.adopt = process_adopt,
	.stop = process_stop,
	.kill = process_kill,
	.release = process_release,
	.pid = process_pid,
	.last_lines = process_last_lines,
	.measure = processes_measure,
};

struct runner processes_runner(struct processes *processes)
{
	return (struct runner){.ops = &ops, .context = processes};
}

int processes_open(const struct processes_options *options, struct processes **ret_processes)
{
	struct processes *processes = calloc(1, sizeof(*processes));
	uid_t owner = options->identity->change ? options->identity->uid : geteuid();
	int error;

	if (!processes)
		return -ENOMEM;
	processes->options = *options;
	error = output_sink_open(options->base, STDOUT_FILENO, &processes->output);
	if (!error)
		error = output_sink_open(options->base, STDERR_FILENO, &processes->error_output);
	if (!error)
		error = notify_open(options->base, options->notify_path, owner, on_notify,
				    processes, &processes->notify);
	if (!error) {
		processes->child_event = evsignal_new(options->base, SIGCHLD, on_child, processes);
		error = processes->child_event && !event_add(processes->child_event, NULL)
				? 0
				: -ENOMEM;
	}
	if (error) {
		processes_close(processes);
		return error;
	}
	/* Children that ended while a newer version took this process over. */
	event_active(processes->child_event, EV_SIGNAL, 1);
	*ret_processes = processes;
	return 0;
}

void processes_close(struct processes *processes)
{
	if (!processes)
		return;
	if (processes->child_event)
		event_free(processes->child_event);
	notify_close(processes->notify);
	output_sink_close(processes->output);
	output_sink_close(processes->error_output);
	free(processes);
}
