// SPDX-License-Identifier: MIT
/* The events of a worker process: its messages, and its end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "common/clock.h"
#include "rights/privilege.h"
#include "process/background.h"
#include "process/process_internal.h"
#include "common/log.h"
#include "supervise/worker.h"
#include "supervise/worker_exit.h"
#include "supervise/worker_messages.h"

/* A message of a process that belongs to no worker is logged once in this time. */

static const char *const stage_texts[SPAWN_STAGE_COUNT] = {
	[SPAWN_DESCRIPTORS] = "cannot set up its descriptors",
	[SPAWN_IDENTITY] = "cannot change to the user",
	[SPAWN_DIRECTORY] = "cannot change to the directory",
	[SPAWN_FILTER] = "cannot answer its bind()",
	[SPAWN_EXEC] = "cannot run",
};

void process_close_status(struct process *process)
{
	if (process->status_event)
		event_free(process->status_event);
	process->status_event = NULL;
	if (process->status_fd >= 0)
		close(process->status_fd);
	process->status_fd = -1;
}

/* Read the child's report. Returns true if the program runs. */
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
	process_close_status(process);
	return length == 0;
}

void process_on_status(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;

	(void)fd;
	(void)what;
	if (read_status(process))
		worker_started(process->worker);
}

/* Returns a hint for the user about a command that can't be run; NULL: there is none. */
static const char *exec_hint(const char *command, int error)
{
	switch (error) {
	case ENOENT:
		if (getenv("SUDO_UID") && !strchr(command, '/'))
			return "sudo has a PATH of its own (secure_path): name it by its path, as "
			       "'command -v' tells it without sudo";
		return "check the command behind '--', and PATH";
	case EACCES:
		return "make it executable (chmod +x) for the user that workers run as";
	case EAGAIN:
		return "the user that workers run as may have no process more: raise the limit "
		       "(ulimit -u)";
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

	snprintf(ret_exit->text, sizeof(ret_exit->text), "%s%s%.100s: %s",
		 stage_texts[failure->stage], *what ? " " : "", what, strerror(failure->error));
	if (failure->stage == SPAWN_FILTER)
		ret_exit->hint = bind_install_reason(-failure->error);
	if (failure->stage == SPAWN_EXEC)
		ret_exit->hint = exec_hint(options->config->command[0], failure->error);
}

/* Look whether the kernel killed the process as memory was short. waitid() does not tell this. */
static void describe_kill(struct oom_kills *kills, struct run_exit *ret_exit)
{
	if (!oom_kills_look(kills, clock_ms()))
		return;
	snprintf(ret_exit->text, sizeof(ret_exit->text), "was killed by SIGKILL: out of memory");
	ret_exit->hint = "raise the memory limit of its cgroup or container (memory.max), start "
			 "fewer workers (-w), or have them replaced before they are too large "
			 "(--max-rss)";
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
		if (info->si_status == SIGKILL)
			describe_kill(&process->processes->oom_kills, ret_exit);
	}
	if (process->failure.stage != SPAWN_STAGE_COUNT)
		describe_failure(process, ret_exit);
}

/* Log a failure. ESRCH is none: the process has ended, or no process is left in its group. */
static void check_sent(const struct process *process, int error)
{
	if (error && error != ESRCH)
		report(STICKY_LOG_ERROR, "kill_failed", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(process->worker), process->pid, strerror(error));
}

/*
 * Send a signal. The pid of a child stays its own until it is reaped. Other processes are known by
 * a pidfd.
 */
static int send_signal(const struct process *process, int signal)
{
	if (process->pidfd < 0)
		return kill(process->pid, signal) ? errno : 0;
	return syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0) ? errno : 0;
}

void process_signal(struct process *process, int signal)
{
	unsigned int previous;

	if (process->reaped)
		return;
	previous = privilege_raise(PRIVILEGE_KILL);
	check_sent(process, send_signal(process, signal));
	privilege_restore(previous);
}

static void kill_group(const struct process *process)
{
	unsigned int previous = privilege_raise(PRIVILEGE_KILL);

	check_sent(process, kill(-process->pid, SIGKILL) ? errno : 0);
	privilege_restore(previous);
}

void process_kill_all(struct process *process)
{
	if (process->reaped)
		return;
	process_look_for_survivors(process);
	kill_group(process);
	process_signal(process, SIGKILL);
	worker_cgroup_kill(&process->cgroup);
}

/*
 * Is the pid now another process's? While the leader is a zombie, its number can't become another
 * group's. But an adopted worker is reaped by its own parent, without asking the controller. After
 * that another process may get this pid, and lead a group.
 */
static bool is_number_reused(const struct process *process)
{
	struct process_entry entry;

	return process->pidfd >= 0 && !process_entry_read(process->pid, &entry) &&
	       entry.start != process->start;
}

void process_kill_rest(struct process *process)
{
	if (!is_number_reused(process))
		kill_group(process);
	process_report_survivors(process);
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

	read_status(process);
	process_close_status(process);
	describe_exit(process, info, &how);
	if (how.ok && worker_has_just_begun(process->worker))
		background_end(process, &how);
	process_kill_rest(process);
	waitpid(process->pid, NULL, 0);
	process->reaped = true;
	output_source_drain(process->output);
	output_source_drain(process->error_output);
	worker_exited(process->worker, &how); /* frees the process */
}

/* Reap all processes that have ended: workers, and orphans if this is PID 1 of a container. */
void process_reap(struct processes *processes)
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

void process_on_child(evutil_socket_t signal, short what, void *context)
{
	struct processes *processes = context;

	(void)signal;
	(void)what;
	/*
	 * Handle the messages first that a process sent before it ended. After it is reaped, the
	 * sender of a message could not be identified.
	 */
	notify_drain(processes->notify);
	process_reap(processes);
}

/* ---- Messages ------------------------------------------------------------------------- */

/*
 * Find the process for which a message counts. A message counts if it is from the worker's process,
 * or from a descendant in its process group. The group alone proves nothing: a process of another
 * worker can move into it.
 */
static struct process *find_sender(const struct processes *processes, pid_t sender)
{
	struct process *process = find(processes, sender);

	if (process)
		return process;
	process = find(processes, getpgid(sender));
	return process && process_descends(sender, process->pid) ? process : NULL;
}

/* Returns the worker that this process belongs to by its parents, else by its group; or NULL. */
static struct process *find_related(const struct processes *processes, pid_t sender)
{
	struct process *process;

	for (process = processes->list; process; process = process->next)
		if (!process->reaped && process_descends(sender, process->pid))
			return process;
	return find(processes, getpgid(sender));
}

/* Returns true where it has been logged already: once for a worker, once a minute for others. */
static bool is_refusal_known(struct processes *processes, struct process *related)
{
	uint64_t left_out;
	bool known;

	if (!related)
		return !log_limit_allows(&processes->refusals, clock_ms(), &left_out);
	known = related->was_refused;
	related->was_refused = true;
	return known;
}

static const char *why_refused(pid_t sender, const struct process *related)
{
	if (getpgid(sender) < 0)
		return "the sender had ended before its message was read";
	if (!related)
		return "the sender is no descendant of a worker";
	if (getpgid(sender) == related->pid)
		return "the sender is in the worker's process group, but its parent has ended";
	return "the sender has left the worker's process group";
}

/*
 * A worker whose word is not believed stays as it is: without a word in the log its user could not
 * find out why.
 */
static void report_refused(struct processes *processes, pid_t sender,
			   const struct notify_message *message)
{
	struct process *related = find_related(processes, sender);
	char command[PROCESS_COMMAND_SIZE], slot[24] = "";

	if ((!message->ready && !message->alive) || is_refusal_known(processes, related))
		return;
	process_command(sender, command);
	if (related)
		snprintf(slot, sizeof(slot), "slot=%u ", worker_slot(related->worker));
	report(STICKY_LOG_WARN, "message_ignored",
	       "%spid=%d command=\"%s\" what=%s why=\"%s\" hint=\"the worker's own process is "
	       "believed, and its descendants in its process group: start the server in the "
	       "foreground, without setsid and without a daemon mode; a process that sends must "
	       "wait until its message is read, as systemd-notify does\"",
	       slot, sender, command, message->ready ? "READY=1" : "WATCHDOG=1",
	       why_refused(sender, related));
}

void process_on_notify(void *context, pid_t sender, const struct notify_message *message)
{
	const struct process *process = find_sender(context, sender);

	if (!process) {
		report_refused(context, sender, message);
		return;
	}
	if (message->status)
		worker_set_status(process->worker, message->status);
	/* READY comes first: a worker that sends both at once has been ready. */
	if (message->ready)
		worker_said(process->worker, WORKER_SAYS_READY);
	if (message->stopping)
		worker_said(process->worker, WORKER_SAYS_STOPS);
	else if (message->alive)
		worker_said(process->worker, WORKER_SAYS_ALIVE);
	else if (!message->ready)
		worker_said(process->worker, WORKER_SAYS_NOTHING_KNOWN);
}
