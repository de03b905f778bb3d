// SPDX-License-Identifier: MIT
/* The cgroups of the workers of this controller, from start to removal. */
#include <errno.h>

#include "common/timer.h"
#include "process/process_internal.h"
#include "supervise/worker.h"

/* What has been killed with a worker ends a moment later than the worker itself. */
#define REMOVE_AGAIN_MS 200

static const char *instance_of(const struct processes *processes)
{
	return processes->options.config->name;
}

static void on_left(evutil_socket_t fd, short what, void *context)
{
	struct processes *processes = context;

	(void)fd;
	(void)what;
	worker_cgroups_remove_left(&processes->cgroups_left);
}

int processes_open_cgroups(struct processes *processes)
{
	worker_cgroups_clean(instance_of(processes), &processes->cgroups_left);
	processes->cgroups_event = evtimer_new(processes->options.base, on_left, processes);
	return processes->cgroups_event ? 0 : -ENOMEM;
}

void processes_close_cgroups(struct processes *processes)
{
	if (processes->cgroups_event)
		event_free(processes->cgroups_event);
	worker_cgroups_clean(instance_of(processes), &processes->cgroups_left);
}

int process_make_cgroup(struct process *process)
{
	return worker_cgroup_make(instance_of(process->processes), worker_slot(process->worker),
				  worker_generation(process->worker), &process->cgroup);
}

void process_adopt_cgroup(struct process *process)
{
	worker_cgroup_adopt(instance_of(process->processes), process->pid, &process->cgroup);
}

void process_remove_cgroup(struct process *process)
{
	struct processes *processes = process->processes;

	worker_cgroup_remove(&process->cgroup, &processes->cgroups_left);
	if (worker_cgroups_remove_left(&processes->cgroups_left))
		timer_start(processes->cgroups_event, REMOVE_AGAIN_MS);
}
