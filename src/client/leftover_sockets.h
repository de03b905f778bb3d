/* SPDX-License-Identifier: MIT */
/*
 * What the workers of a dead controller leave when they end: listening sockets that a program has
 * inherited, which keep the address taken; and processes that have left the worker's process group.
 */
#ifndef STICKY_CLIENT_LEFTOVER_SOCKETS_H
#define STICKY_CLIENT_LEFTOVER_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "procfs/process_tree.h"
#include "state/state_file.h"

/* The processes that the workers began, and that are not in a worker's own process group. */
struct leftover_processes {
	struct process_entry *found;
	uint32_t count;
};

/*
 * Add the descendants of a worker that lives. This must be done before the worker is asked to end:
 * afterwards, its descendants have another parent. Where memory is short, none is added.
 */
void leftover_processes_add(struct leftover_processes *processes, pid_t worker);

/* Name those that live on, on stderr, with the remedy. */
void leftover_processes_tell(const struct leftover_processes *processes);

/* Free the list. */
void leftover_processes_fini(struct leftover_processes *processes);

/* Returns true where a listening socket of a worker still listens, in this network namespace. */
bool leftover_sockets_listen(const struct state_file_content *content);

/*
 * All workers of the state file have ended: shut down their listening sockets that still listen,
 * and name on stderr the processes that had them open. Waits up to about a second for processes
 * that are about to end.
 *
 * Returns true where no such socket listens any more in this network namespace.
 */
bool leftover_sockets_shut_down(const struct state_file_content *content);

#endif
