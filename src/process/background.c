// SPDX-License-Identifier: MIT
#include "process/background.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/bind_worker.h"
#include "common/log.h"
#include "process/process_internal.h"
#include "procfs/process_environment.h"
#include "rights/privilege.h"
#include "supervise/worker.h"

#define ENVIRONMENT_SIZE (256 * 1024)
/* A process that is asked to end may have started another one meanwhile. */
#define ROUNDS_MAX 5

#define HINT                                                                                       \
	"start it in the foreground (nginx: daemon off; redis-server: --daemonize no; httpd: "     \
	"-DFOREGROUND); what went to the background was asked to end"

struct background {
	const struct process *process;
	struct process_entry leader;
	struct process_entry found[PROCESS_TREE_MAX];
	size_t count;
	char *environment; /* ENVIRONMENT_SIZE bytes */
};

/* ---- Whose process it is ----------------------------------------------------------------- */

static bool has_number(const char *text, size_t length, const char *name, uint64_t number)
{
	const char *value = process_environment_value(text, length, name);

	return value && strtoull(value, NULL, 10) == number;
}

static bool has_variables(const struct background *background, pid_t pid)
{
	const struct process *process = background->process;
	char *text = background->environment;
	size_t length = process_environment_read(pid, ENVIRONMENT_SIZE, text);
	const char *path = process_environment_value(text, length, "NOTIFY_SOCKET");

	return path && !strcmp(path, process->processes->options.notify_path) &&
	       has_number(text, length, "STICKY_SLOT", worker_slot(process->worker)) &&
	       has_number(text, length, "STICKY_GENERATION", worker_generation(process->worker));
}

/* Is a descriptor's link that of the pipe that the controller reads the worker's output from? */
static bool is_pipe(const struct output_source *source, const char *target)
{
	struct stat status;
	char pipe[64];

	if (!source || fstat(output_source_fd(source), &status))
		return false;
	snprintf(pipe, sizeof(pipe), "pipe:[%llu]", (unsigned long long)status.st_ino);
	return !strcmp(pipe, target);
}

static bool has_output(const struct background *background, pid_t pid)
{
	const struct process *process = background->process;
	const struct dirent *entry;
	char path[64], target[64];
	bool is_found = false;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	while (directory && !is_found && (entry = readdir(directory))) {
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		is_found =
			is_pipe(process->output, target) || is_pipe(process->error_output, target);
	}
	if (directory)
		closedir(directory);
	return is_found;
}

/*
 * Does a process run our program? A child that has not begun to run a worker's program has copies
 * of our descriptors.
 */
static bool runs_our_program(pid_t pid)
{
	struct stat program, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &program) || stat("/proc/self/exe", &ours) ||
	       (program.st_dev == ours.st_dev && program.st_ino == ours.st_ino);
}

static bool is_left_behind(const struct background *background, const struct process_entry *entry)
{
	pid_t leader = background->process->pid;

	if (entry->pid == leader || entry->start < background->leader.start ||
	    runs_our_program(entry->pid))
		return false;
	return entry->group == leader || has_variables(background, entry->pid) ||
	       has_output(background, entry->pid);
}

/* ---- All of them -------------------------------------------------------------------------- */

static bool is_known(const struct background *background, pid_t pid)
{
	size_t i;

	for (i = 0; i < background->count; i++)
		if (background->found[i].pid == pid)
			return true;
	return false;
}

static void end_one(struct background *background, const struct process_entry *entry)
{
	char command[PROCESS_COMMAND_SIZE];
	int error;

	background->found[background->count++] = *entry;
	process_command(entry->pid, command);
	error = kill(entry->pid, SIGTERM) ? errno : 0;
	report(STICKY_LOG_WARN, "went_to_background",
	       "slot=%u pid=%d of=%d command=\"%s\" so=\"%s\"",
	       worker_slot(background->process->worker), entry->pid, background->process->pid,
	       command, error ? "it could not be asked to end" : "it was asked to end");
}

/* Returns true if a process was found that was not known. */
static bool look(struct background *background)
{
	const struct dirent *entry;
	struct process_entry found;
	size_t before = background->count;
	DIR *proc = opendir("/proc");

	while (proc && background->count < PROCESS_TREE_MAX && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && pid != getpid() && !is_known(background, pid) &&
		    !process_entry_read(pid, &found) && is_left_behind(background, &found))
			end_one(background, &found);
	}
	if (proc)
		closedir(proc);
	return background->count > before;
}

void background_end(const struct process *process, struct run_exit *exit)
{
	struct background background = {.process = process,
					.environment = malloc(ENVIRONMENT_SIZE)};
	unsigned int previous;
	int round = 0;

	if (background.environment && !process_entry_read(process->pid, &background.leader)) {
		previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH |
					   PRIVILEGE_KILL);
		while (round++ < ROUNDS_MAX && look(&background))
			;
		privilege_restore(previous);
	}
	free(background.environment);
	if (background.count)
		snprintf(exit->text, sizeof(exit->text),
			 "exited with code 0, and went to the background as pid %d",
			 background.found[0].pid);
	if (background.count || (process->bind && bind_worker_has_bound(process->bind)))
		exit->hint = HINT;
}
