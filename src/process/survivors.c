// SPDX-License-Identifier: MIT
#include "process/survivors.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"

void survivors_note(struct survivors *survivors, const struct process_entry *entry, pid_t leader)
{
	size_t i;

	if (entry->group == leader)
		return;
	for (i = 0; i < survivors->count; i++)
		if (survivors->found[i].pid == entry->pid)
			break;
	if (i == PROCESS_TREE_MAX)
		return;
	survivors->found[i] = *entry;
	survivors->count += i == survivors->count;
}

void survivors_look(struct survivors *survivors, pid_t leader)
{
	struct process_entry all[PROCESS_TREE_MAX];
	size_t count = process_descendants(leader, all), i;

	for (i = 0; i < count; i++)
		survivors_note(survivors, &all[i], leader);
}

void survivors_look_in(struct survivors *survivors, const struct worker_cgroup *cgroup,
		       pid_t leader)
{
	FILE *file = worker_cgroup_processes(cgroup);
	struct process_entry entry;
	char line[32];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (!process_entry_read((pid_t)strtol(line, NULL, 10), &entry))
			survivors_note(survivors, &entry, leader);
	fclose(file);
}

void survivors_forget(struct survivors *survivors, const struct worker_cgroup *cgroup)
{
	size_t i, kept = 0;

	for (i = 0; i < survivors->count; i++)
		if (!worker_cgroup_holds(cgroup, survivors->found[i].pid))
			survivors->found[kept++] = survivors->found[i];
	survivors->count = kept;
}

void survivors_report(struct survivors *survivors, unsigned int slot, pid_t leader)
{
	char command[PROCESS_COMMAND_SIZE];
	struct process_entry entry;
	size_t i;

	for (i = 0; i < survivors->count; i++) {
		const struct process_entry *noted = &survivors->found[i];

		if (process_entry_read(noted->pid, &entry) || entry.start != noted->start ||
		    entry.state == 'Z')
			continue;
		process_command(noted->pid, command);
		report(STICKY_LOG_WARN, "process_left",
		       "slot=%u pid=%d of=%d command=\"%s\" why=\"it left the process group of its "
		       "worker, which has ended, and lives on\"",
		       slot, noted->pid, leader, command);
	}
	survivors->count = 0;
}
