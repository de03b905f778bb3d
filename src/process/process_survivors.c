// SPDX-License-Identifier: MIT
/* Which processes of a worker have left its process group, and so do not end with it. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "process/process_internal.h"
#include "procfs/process_environment.h"
#include "rights/privilege.h"
#include "supervise/worker.h"

/*
 * A search reads the environment of each process of the machine, in some 10 to 30 us each, and is
 * for all workers at once. It ends after SCAN_MS, and takes less than a fiftieth of the time.
 */
#define SCAN_MS		 100
#define SCAN_AGAIN_MS	 1000
#define SCAN_AGAIN_TIMES 50
#define ENVIRONMENT_SIZE (256 * 1024)

static bool is_group_of_worker(const struct processes *processes, pid_t group)
{
	const struct process *process = processes->list;

	while (process && process->pid != group)
		process = process->next;
	return process != NULL;
}

static struct process *find_run(const struct processes *processes, const char *slot,
				const char *generation)
{
	struct process *process = processes->list;

	while (process && (worker_slot(process->worker) != strtoul(slot, NULL, 10) ||
			   worker_generation(process->worker) != strtoull(generation, NULL, 10)))
		process = process->next;
	return process;
}

/* A previous run of the instance had workers with the same variables: they began earlier. */
static void note_by_environment(const struct processes *processes, pid_t pid, const char *text,
				size_t length)
{
	const char *path = process_environment_value(text, length, "NOTIFY_SOCKET");
	const char *slot = process_environment_value(text, length, "STICKY_SLOT");
	const char *generation = process_environment_value(text, length, "STICKY_GENERATION");
	struct process_entry leader, entry;
	struct process *process;

	if (!path || !slot || !generation || strcmp(path, processes->options.notify_path) != 0)
		return;
	process = find_run(processes, slot, generation);
	if (process && !process->reaped && !process_entry_read(process->pid, &leader) &&
	    !process_entry_read(pid, &entry) && entry.start >= leader.start)
		survivors_note(&process->survivors, &entry, process->pid);
}

static void scan(const struct processes *processes, uint64_t until_ms, char *text)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)) && clock_ms() < until_ms) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		size_t length;

		if (pid <= 0 || pid == getpid() || is_group_of_worker(processes, getpgid(pid)))
			continue;
		length = process_environment_read(pid, ENVIRONMENT_SIZE, text);
		note_by_environment(processes, pid, text, length);
	}
	if (directory)
		closedir(directory);
}

/*
 * The parent of a daemon has ended, and so /proc does not tell any more whose it was. Its
 * environment does, unless it has changed that.
 */
static void scan_environments(struct processes *processes)
{
	uint64_t now_ms = clock_ms();
	char *text;

	if (now_ms < processes->scan_again_ms)
		return;
	text = malloc(ENVIRONMENT_SIZE);
	if (!text)
		return;
	scan(processes, now_ms + SCAN_MS, text);
	free(text);
	processes->scan_again_ms =
		clock_ms() + SCAN_AGAIN_MS + SCAN_AGAIN_TIMES * (clock_ms() - now_ms);
}

void process_look_for_survivors(struct process *process)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);

	survivors_look(&process->survivors, process->pid);
	/* A cgroup of its own tells it at the end, for certain. */
	if (!worker_cgroup_holds(&process->cgroup, process->pid))
		scan_environments(process->processes);
	privilege_restore(previous);
}

void process_report_survivors(struct process *process)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);

	if (process->cgroup.killed)
		survivors_forget(&process->survivors, &process->cgroup);
	else
		survivors_look_in(&process->survivors, &process->cgroup, process->pid);
	survivors_report(&process->survivors, worker_slot(process->worker), process->pid);
	privilege_restore(previous);
}
