// SPDX-License-Identifier: MIT
#include "process/survivors.h"

#include "common/log.h"

static void note(struct survivors *survivors, const struct process_entry *entry)
{
	size_t i;

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
		if (all[i].group != leader)
			note(survivors, &all[i]);
}

void survivors_report(struct survivors *survivors, unsigned int slot, pid_t leader)
{
	char command[PROCESS_COMMAND_SIZE];
	struct process_entry entry;
	size_t i;

	for (i = 0; i < survivors->count; i++) {
		const struct process_entry *noted = &survivors->found[i];

		if (process_entry_read(noted->pid, &entry) || entry.start != noted->start)
			continue;
		process_command(noted->pid, command);
		report(STICKY_LOG_WARN, "process_left",
		       "slot=%u pid=%d of=%d command=\"%s\" why=\"it left the process group of its "
		       "worker, which has ended, and lives on\"",
		       slot, noted->pid, leader, command);
	}
	survivors->count = 0;
}
