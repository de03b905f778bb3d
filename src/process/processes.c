// SPDX-License-Identifier: MIT
#include "process/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/path_search.h"
#include "process/environment.h"
#include "node/node_worker.h"
#include "common/privilege.h"
#include "process/process_internal.h"
#include "procfs/usage.h"
#include "common/log.h"
#include "supervise/worker.h"
#include "supervise/worker_channel.h"
#include "process/worker_environment.h"

/* ---- Starting ------------------------------------------------------------------- */

static void close_pair(int pair[2])
{
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
}

/* On a terminal each line says whose it is; else bytes are passed on as they come. */
void process_make_prefix(const struct process *process, char prefix[PREFIX_SIZE])
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

	process_make_prefix(process, prefix);
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

static int watch_status(struct process *process)
{
	process->status_event = event_new(process->processes->options.base, process->status_fd,
					  EV_READ, process_on_status, process);
	return process->status_event && !event_add(process->status_event, NULL) ? 0 : -ENOMEM;
}

static int spawn(struct process *process, const struct spawn_request *request)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SETUID | PRIVILEGE_SETGID);
	int error = spawn_start(request, &process->pid, &process->status_fd);

	privilege_restore(previous);
	return error;
}

static int spawn_with(struct process *process, struct sticky_worker *sockets,
		      const struct environment *environment, int output, int error_output)
{
	const struct processes_options *options = &process->processes->options;
	char **command = options->config->command;
	struct candidates candidates;
	int fds[SPAWN_SOCKETS_MAX];
	struct spawn_request request = {
		.argv = command,
		.envp = environment->items,
		.listen_pid = (char *)environment_get(environment, "LISTEN_PID"),
		.directory = options->directory,
		.identity = options->identity,
		.sockets = fds,
		.output = output,
		.error_output = error_output,
		.noted_pid = worker_noted_pid(process->worker),
		.nofile = options->nofile,
	};
	int error;

	if (process->node)
		fds[request.socket_count++] = process->node_end;
	while (!process->node && (fds[request.socket_count] = sticky_worker_fd(
					  sockets, (uint32_t)request.socket_count)) >= 0)
		request.socket_count++;
	if (worker_private_fd(process->worker) >= 0)
		fds[request.socket_count++] = worker_private_fd(process->worker);
	request.kept[0] = output_source_fd(process->output);
	request.kept[1] = output_source_fd(process->error_output);
	request.kept_count = SPAWN_KEPT;
	if (worker_channel_ends(process->worker, request.kept + SPAWN_KEPT))
		request.kept_count += WORKER_CHANNEL_ENDS;
	/* At a number of 15 or less: only those does Node.js keep from its own children. */
	if (process->node)
		request.kept[request.kept_count++] = node_worker_fd(process->node);
	error = candidates_find(command[0], environment_get(environment, "PATH"), &candidates);
	if (error)
		return error;
	request.files = candidates.files;
	error = spawn(process, &request);
	candidates_fini(&candidates);
	return error ? error : watch_status(process);
}

static uint32_t count_sockets(const struct sticky_worker *sockets)
{
	uint32_t count = 0;

	while (sticky_worker_fd(sockets, count) >= 0)
		count++;
	return count;
}

static int build_environment(const struct process *process, const struct sticky_worker *sockets,
			     struct environment *environment)
{
	const struct processes_options *options = &process->processes->options;
	int ends[WORKER_CHANNEL_ENDS];
	const struct worker_environment spec = {
		.is_node = process->node != NULL,
		.preload = config_preloads(options->config) ? options->preload : NULL,
		.has_channel = worker_channel_ends(process->worker, ends),
		.config = options->config,
		.identity = options->identity,
		.directory = options->directory,
		.notify_path = options->notify_path,
		.slot = worker_slot(process->worker),
		.generation = worker_generation(process->worker),
		/* Without -l the application decides: its first port need not be its main one. */
		.port = options->config->listen.count ? options->ports[0] : 0,
		.socket_count = count_sockets(sockets),
		.has_private = worker_private_fd(process->worker) >= 0,
	};

	return worker_environment(&spec, environment);
}

int process_open_tails(struct process *process)
{
	int error = output_tail_open(&process->tail);

	return error ? error : output_tail_open(&process->error_tail);
}

static int begin(struct process *process, struct sticky_worker *sockets)
{
	struct processes *processes = process->processes;
	struct environment environment = {0};
	int output = -1, error_output = -1;
	int error;

	error = process_open_tails(process);
	if (!error)
		error = open_stream(process, processes->output, process->tail, &process->output,
				    &output);
	if (!error)
		error = open_stream(process, processes->error_output, process->error_tail,
				    &process->error_output, &error_output);
	if (!error)
		error = process_open_node(process);
	if (!error)
		error = build_environment(process, sockets, &environment);
	if (!error)
		error = spawn_with(process, sockets, &environment, output, error_output);
	environment_fini(&environment);
	process_close_node_end(process);
	if (output >= 0)
		close(output);
	if (error_output >= 0)
		close(error_output);
	return error;
}

struct process *process_new(struct processes *processes, struct worker *worker)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->processes = processes;
	process->worker = worker;
	process->status_fd = -1;
	process->pidfd = -1;
	process->node_end = -1;
	process->failure.stage = SPAWN_STAGE_COUNT;
	process->next = processes->list;
	processes->list = process;
	return process;
}

static int process_start(void *context, struct worker *worker, struct sticky_worker *sockets,
			 void **ret_handle)
{
	struct process *process = process_new(context, worker);
	int error;

	if (!process)
		return -ENOMEM;
	error = begin(process, sockets);
	if (error && !process->pid) {
		process_release(process);
		return error;
	}
	*ret_handle = process;
	return 0;
}

/* ---- The backend ---------------------------------------------------------------- */

void process_signal_stop(struct process *process)
{
	process_signal(process, config_stop_signal(process->processes->options.config));
}

static bool process_stop(void *handle)
{
	struct process *process = handle;

	if (!process->reaped)
		survivors_look(&process->survivors, process->pid);
	if (process->node && process_disconnect(process))
		return false; /* by process_node.c, at once or soon */
	process_signal_stop(process);
	return true;
}

static void process_kill(void *handle)
{
	process_kill_all(handle);
}

void process_release(void *handle)
{
	struct process *process = handle;
	struct process **link = &process->processes->list;

	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	process_close_status(process);
	process_close_node(process);
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

static pid_t process_pid(const void *handle)
{
	return ((const struct process *)handle)->pid;
}

static void process_last_lines(const void *handle, size_t size, char *ret_text)
{
	const struct process *process = handle;

	output_tail_read(process->error_tail, size, ret_text);
	if (!ret_text[0])
		output_tail_read(process->tail, size, ret_text);
}

static void processes_measure(void *context, void *const *handles, uint32_t count,
			      struct run_usage *ret_usages)
{
	const struct processes_options *options = &((struct processes *)context)->options;
	pid_t *groups = calloc(count, sizeof(*groups));
	unsigned int previous;
	uint32_t i;

	memset(ret_usages, 0, count * sizeof(*ret_usages));
	if (!groups)
		return;
	for (i = 0; i < count; i++)
		groups[i] = process_pid(handles[i]);
	previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	procusage_measure(groups, count, options->ports, options->port_count, ret_usages);
	privilege_restore(previous);
	free(groups);
}

static const struct worker_backend_ops ops = {
	.start = process_start,
	.adopt = process_adopt,
	.stop = process_stop,
	.kill = process_kill,
	.release = process_release,
	.pid = process_pid,
	.last_lines = process_last_lines,
	.measure = processes_measure,
};

struct worker_backend processes_backend(struct processes *processes)
{
	return (struct worker_backend){.ops = &ops, .context = processes};
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
		error = notify_open(options->base, options->notify_path, owner, process_on_notify,
				    processes, &processes->notify);
	if (!error) {
		processes->child_event =
			evsignal_new(options->base, SIGCHLD, process_on_child, processes);
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

void processes_set_ports(struct processes *processes, const uint16_t *ports, size_t count)
{
	memcpy(processes->options.ports, ports, count * sizeof(*ports));
	processes->options.port_count = count;
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
