// SPDX-License-Identifier: MIT
/* A worker process that a previous controller started. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "rights/privilege.h"
#include "process/process_internal.h"
#include "supervise/worker.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_exit.h"

/*
 * End an adopted process of which this controller is not the parent. Only the parent gets the exit
 * status.
 */
static void end_adopted(struct process *process)
{
	struct run_exit how = {.code = -1, .text = "ended (how, only its previous parent knows)"};

	process_kill_rest(process);
	process->reaped = true;
	output_source_drain(process->output);
	output_source_drain(process->error_output);
	worker_exited(process->worker, &how); /* frees the process */
}

static void on_pidfd(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;
	siginfo_t info = {0};

	(void)what;
	/*
	 * After an upgrade this controller is still the parent. Then the process is reaped like any
	 * other.
	 */
	if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		process_reap(process->processes);
	else
		end_adopted(process);
}

/* Is `fd` the same pipe as the process's descriptor `number`? */
static bool is_pipe_of(int fd, pid_t pid, int number)
{
	struct stat ours, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	return fstat(fd, &ours) == 0 && stat(path, &its) == 0 && S_ISFIFO(ours.st_mode) &&
	       ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

/*
 * Fetch one of the descriptors that the process keeps for the controller. number: 0 is the first
 * one behind the sockets. Returns -1 if the process has closed it.
 */
static int fetch(const struct process *process, int number)
{
	const struct processes_options *options = &process->processes->options;
	int sockets = options->node_listeners  ? 1
		      : options->gives_sockets ? (int)options->port_count
					       : 0;
	int first = SPAWN_FIRST_SOCKET + sockets + worker_began_with_private(process->worker);

	return (int)syscall(SYS_pidfd_getfd, process->pidfd, first + number, 0);
}

/*
 * Fetch the reading end of a stream, which the worker keeps for a controller that takes over.
 *
 * kept    its number for fetch()
 * number  the worker's descriptor that is the writing end
 *
 * Returns NULL if the worker has closed it.
 */
static struct output_source *fetch_stream(struct process *process, int kept, int number,
					  enum log_stream stream)
{
	struct output_source *source = NULL;
	int fd = fetch(process, kept);

	if (fd < 0)
		return NULL;
	if (!is_pipe_of(fd, process->pid, number) ||
	    process_open_source(process, fd, stream, &source))
		close(fd);
	return source;
}

/* Is the descriptor one end of a channel? A worker could have put any other file there. */
static bool is_socket(int fd, int wanted)
{
	int domain = 0, type = 0;
	socklen_t length = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && domain == AF_UNIX &&
	       type == wanted;
}

/*
 * Fetch the controller's end of the channel, which the worker keeps for a controller that takes
 * over.
 */
static void fetch_channel(struct process *process)
{
	bool is_node = process->processes->options.node_listeners != NULL;
	int fd = fetch(process, is_node ? SPAWN_KEPT : SPAWN_KEPT + 1);

	if (fd < 0)
		return;
	if (is_node && is_socket(fd, SOCK_STREAM)) {
		process_adopt_node(process, fd);
		return;
	}
	if (!is_socket(fd, SOCK_SEQPACKET) || worker_adopt_channel(process->worker, fd))
		close(fd);
}

/*
 * Fetch the descriptor of the worker's filter. Without it the kernel does the worker's bind()
 * alone.
 */
static void adopt_filter(struct process *process)
{
	struct bind_workers *workers = process->processes->options.bind;
	int error =
		workers ? bind_worker_adopt(workers, process->worker, process->pid, &process->bind)
			: 0;

	/* With LISTEN_FDS a worker may have no filter. */
	if (error && (error != -ENOENT || !process->processes->options.gives_sockets))
		report(STICKY_LOG_WARN, "filter_lost", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(process->worker), process->pid, strerror(-error));
}

/* Fetch all that the worker keeps. On failure its output is lost, but the worker still serves. */
static void fetch_from_worker(struct process *process)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);

	process->output = fetch_stream(process, 0, STDOUT_FILENO, LOG_STDOUT);
	process->error_output = fetch_stream(process, 1, STDERR_FILENO, LOG_STDERR);
	fetch_channel(process);
	adopt_filter(process);
	privilege_restore(previous);
}

int process_adopt(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_handle)
{
	struct processes *processes = context;
	struct process *process = process_new(processes, worker);
	struct process_entry entry;
	int error;

	if (!process) {
		close(pidfd);
		return -ENOMEM;
	}
	process->pid = pid;
	process->pidfd = pidfd;
	process->start = process_entry_read(pid, &entry) ? 0 : entry.start;
	process_adopt_cgroup(process);
	error = process_open_tails(process);
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
	fetch_from_worker(process);
	*ret_handle = process;
	return 0;
}
