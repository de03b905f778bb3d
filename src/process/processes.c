// SPDX-License-Identifier: MIT
#include "process/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/path_search.h"
#include "process/environment.h"
#include "process/filter_exec.h"
#include "node/inspect_port.h"
#include "node/node_worker.h"
#include "common/clock.h"
#include "rights/privilege.h"
#include "process/process_internal.h"
#include "procfs/usage.h"
#include "common/log.h"
#include "supervise/worker.h"
#include "supervise/worker_channel.h"
#include "process/worker_environment.h"

/* ---- Starting ------------------------------------------------------------------- */

static int watch_status(struct process *process)
{
	process->status_event = event_new(process->processes->options.base, process->status_fd,
					  EV_READ, process_on_status, process);
	return process->status_event && !event_add(process->status_event, NULL) ? 0 : -ENOMEM;
}

static bool runs_as_root(const struct identity *identity)
{
	return identity->change ? identity->uid == 0 : geteuid() == 0;
}

static int start_child(struct process *process, struct spawn_request *request)
{
	unsigned int previous;
	int error;

	request->cgroup = process_make_cgroup(process);
	previous = privilege_raise(PRIVILEGE_SETUID | PRIVILEGE_SETGID);
	error = spawn_start(request, &process->pid, &process->status_fd);
	privilege_restore(previous);
	if (request->cgroup >= 0)
		close(request->cgroup);
	request->cgroup = -1;
	if (!error && process->bind)
		bind_worker_set_pid(process->bind, process->pid);
	return error;
}

static int spawn(struct process *process, struct spawn_request *request)
{
	struct filter_exec filter_exec = {0};
	int error = 0;

	if (request->has_filter && runs_as_root(request->identity))
		error = filter_exec_init(request, &filter_exec);
	request->filter_exec = filter_exec.arguments ? &filter_exec : NULL;
	if (!error)
		error = start_child(process, request);
	request->filter_exec = NULL;
	filter_exec_fini(&filter_exec);
	return error;
}

/* Collect the descriptors that become 3, 4, ... in the worker. Returns their number. */
static size_t collect_sockets(const struct process *process, const struct sticky_worker *sockets,
			      int ret_fds[SPAWN_SOCKETS_MAX])
{
	bool gives_sockets = process->processes->options.gives_sockets;
	size_t count = 0;

	if (process->node)
		ret_fds[count++] = process->node_end;
	while (gives_sockets && (ret_fds[count] = sticky_worker_fd(sockets, (uint32_t)count)) >= 0)
		count++;
	if (worker_private_fd(process->worker) >= 0)
		ret_fds[count++] = worker_private_fd(process->worker);
	return count;
}

/* Collect the descriptors that the worker keeps, behind the sockets. Returns their number. */
static size_t collect_kept(const struct process *process, int ret_kept[SPAWN_KEPT_MAX])
{
	size_t count = SPAWN_KEPT;

	ret_kept[0] = process_kept_end(process, process->output);
	ret_kept[1] = process_kept_end(process, process->error_output);
	if (worker_channel_ends(process->worker, ret_kept + SPAWN_KEPT))
		count += WORKER_CHANNEL_ENDS;
	/*
	 * The channel's end must have a number of at most 15. Node.js is sure to mark inherited
	 * descriptors close-on-exec only up to this number.
	 */
	if (process->node)
		ret_kept[count++] = node_worker_fd(process->node);
	return count;
}

/*
 * List the words of a worker's command. A port of Node.js's inspector in them is made the slot's
 * own.
 */
static int words_of(const struct process *process, struct string_list *ret_words)
{
	char *const *command = process->processes->options.config->command;

	return inspect_port_words(command, process->node ? worker_slot(process->worker) : 0,
				  ret_words);
}

static int spawn_with(struct process *process, struct sticky_worker *sockets,
		      const struct environment *environment, int output, int error_output)
{
	const struct processes_options *options = &process->processes->options;
	struct string_list words;
	struct candidates candidates;
	int fds[SPAWN_SOCKETS_MAX];
	struct spawn_request request = {
		.envp = environment->items,
		.listen_pid = (char *)environment_get(environment, "LISTEN_PID"),
		.directory = options->directory,
		.identity = options->identity,
		.sockets = fds,
		.output = output,
		.error_output = error_output,
		.has_filter = process->bind != NULL,
		.filter_channel = process->filter_end,
		.cgroup = -1,
		.noted_pid = worker_noted_pid(process->worker),
		.nofile = options->nofile,
	};
	int error;

	request.socket_count = collect_sockets(process, sockets, fds);
	request.kept_count = collect_kept(process, request.kept);
	error = words_of(process, &words);
	if (error)
		return error;
	request.argv = words.items;
	error = candidates_find(words.items[0], environment_get(environment, "PATH"), &candidates);
	if (!error) {
		request.files = candidates.files;
		error = spawn(process, &request);
		candidates_fini(&candidates);
	}
	string_list_fini(&words);
	return error ? error : watch_status(process);
}

static uint32_t count_sockets(const struct sticky_worker *sockets)
{
	uint32_t count = 0;

	while (sticky_worker_fd(sockets, count) >= 0)
		count++;
	return count;
}

/*
 * Returns the value of PORT; 0: it is not set. Without -l an application of Node.js chooses its
 * ports itself, and its first one need not be its main one.
 */
static uint16_t port_of(const struct process *process)
{
	const struct processes_options *options = &process->processes->options;

	return process->node && !options->config->listen.count ? 0 : options->ports[0];
}

static int build_environment(const struct process *process, const struct sticky_worker *sockets,
			     struct environment *environment)
{
	const struct processes_options *options = &process->processes->options;
	struct error_text why = {""};
	int ends[WORKER_CHANNEL_ENDS], error;
	const struct worker_environment spec = {
		.is_node = process->node != NULL,
		.serialization = worker_serialization(process->worker),
		.preloads[PRELOAD_STOP] = process_preload(process, PRELOAD_STOP),
		.preloads[PRELOAD_CONNECTIONS] = process_preload(process, PRELOAD_CONNECTIONS),
		.has_channel = worker_channel_ends(process->worker, ends),
		.config = options->config,
		.identity = options->identity,
		.directory = options->directory,
		.notify_path = options->notify_path,
		.slot = worker_slot(process->worker),
		.generation = worker_generation(process->worker),
		.port = port_of(process),
		.takes_sockets = options->gives_sockets,
		.socket_count = options->gives_sockets ? count_sockets(sockets) : 0,
		.has_private = worker_private_fd(process->worker) >= 0,
	};

	error = worker_environment(&spec, environment, &why);
	if (error && why.text[0])
		worker_cannot_begin(process->worker, why.text);
	return error;
}

int process_open_tails(struct process *process)
{
	int error = output_tail_open(&process->tail);

	return error ? error : output_tail_open(&process->error_tail);
}

static int begin(struct process *process, struct sticky_worker *sockets)
{
	struct environment environment = {0};
	int ends[LOG_STREAM_COUNT] = {-1, -1};
	int error, stream;

	error = process_open_tails(process);
	if (!error)
		error = process_open_streams(process, ends);
	if (!error)
		error = process_open_node(process);
	if (!error && process->processes->options.bind)
		error = bind_worker_open(process->processes->options.bind, process->worker,
					 &process->filter_end, &process->bind);
	if (!error)
		error = build_environment(process, sockets, &environment);
	if (!error)
		error = spawn_with(process, sockets, &environment, ends[LOG_STDOUT],
				   ends[LOG_STDERR]);
	environment_fini(&environment);
	process_close_node_end(process);
	if (process->filter_end >= 0)
		close(process->filter_end);
	process->filter_end = -1;
	for (stream = 0; stream < LOG_STREAM_COUNT; stream++)
		if (ends[stream] >= 0)
			close(ends[stream]);
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
	process->filter_end = -1;
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
	/* Count the kills up to now: they do not explain the end of the worker that starts here. */
	oom_kills_look(&process->processes->oom_kills, clock_ms());
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
	process->was_signalled |= !process->reaped;
	process_signal(process, config_stop_signal(process->processes->options.config));
}

static bool process_stop(void *handle)
{
	struct process *process = handle;

	if (!process->reaped)
		process_look_for_survivors(process);
	if (process->node && process_disconnect(process))
		return false; /* process_node.c asks the worker, at once or soon */
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
	bind_worker_close(process->bind);
	if (process->pidfd_event)
		event_free(process->pidfd_event);
	if (process->pidfd >= 0)
		close(process->pidfd);
	output_source_close(process->output);
	output_source_close(process->error_output);
	output_tail_close(process->tail);
	output_tail_close(process->error_tail);
	process_remove_cgroup(process);
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
	usage_measure(groups, count, options->ports, options->port_count, ret_usages);
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
	oom_kills_begin(&processes->oom_kills);
	processes->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	error = processes->null < 0 ? -errno : 0;
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
	if (!error)
		error = processes_open_cgroups(processes);
	if (error) {
		processes_close(processes);
		return error;
	}
	/* Children may have ended while a newer version replaced this program. */
	event_active(processes->child_event, EV_SIGNAL, 1);
	*ret_processes = processes;
	return 0;
}

bool processes_find_unread(const struct processes *processes, pid_t *ret_pid, uint32_t *ret_slot)
{
	const struct process *process = processes->list;

	while (process && !(process->node && node_worker_has_unsent(process->node)))
		process = process->next;
	if (!process)
		return false;
	*ret_pid = process->pid;
	*ret_slot = worker_slot(process->worker);
	return true;
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
	if (processes->null >= 0)
		close(processes->null);
	processes_close_cgroups(processes);
	free(processes);
}
