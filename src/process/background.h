/* SPDX-License-Identifier: MIT */
/*
 * Servers that go to the background: the worker's own process exits, and another process goes on in
 * a session of its own. Nothing supervises that one, and it keeps the address.
 */
#ifndef STICKY_PROCESS_BACKGROUND_H
#define STICKY_PROCESS_BACKGROUND_H

#include <stdbool.h>

#include "supervise/worker_backend.h"

struct process;

/*
 * Find the processes that a worker has left behind, and ask them to end (SIGTERM). Call this when
 * the worker's process has exited with code 0 soon after its start, and is not reaped yet.
 *
 * exit  its text and hint are completed if there are such processes, or if the worker had bound a
 *       listener's address
 *
 * A process is the worker's if it has the worker's variables in its environment, or the worker's
 * output open. One that has changed both is not found. Costs a walk over all processes.
 */
void background_end(const struct process *process, struct run_exit *exit);

#endif
