// SPDX-License-Identifier: MIT
/* A Node.js worker that has closed its channel and its servers, and does not end by itself. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/log.h"
#include "rights/privilege.h"
#include "common/timer.h"
#include "node/node_worker.h"
#include "process/process_internal.h"
#include "procfs/open_connections.h"
#include "supervise/worker.h"
#include "supervise/worker_messages.h"

/*
 * The time from the end of the channel to the stop signal. A worker with nothing left to do has
 * exited by then. An application that handles `disconnect` may need longer, as it closes its
 * database there, for example.
 */
#define LINGER_MS	     250
#define LINGER_DISCONNECT_MS 5000
#define LOOK_AGAIN_MS	     320

/*
 * Are connections to the listeners' ports open? Connections of servers that the application has
 * closed itself may go on. Returns 1, 0, or -errno.
 */
static int look(const struct process *process)
{
	const struct processes_options *options = &process->processes->options;
	unsigned int previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	int open = connections_are_open(process->pid, options->ports, options->port_count);

	privilege_restore(previous);
	return open;
}

static void on_linger(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;
	int open = look(process);

	(void)fd;
	(void)what;
	if (process->reaped || process->was_signalled)
		return;
	if (open > 0) {
		timer_start(process->linger, LOOK_AGAIN_MS);
		return;
	}
	/* on_term() sends the signal after --term-after. */
	if (open < 0)
		return;
	report(STICKY_LOG_INFO, "worker_signalled",
	       "slot=%u pid=%d why=\"its servers are closed, and it does not exit by itself\"",
	       worker_slot(process->worker), process->pid);
	process_signal_stop(process);
	worker_stop_requested(process->worker);
}

int process_open_linger(struct process *process)
{
	process->linger = evtimer_new(process->processes->options.base, on_linger, process);
	return process->linger ? 0 : -ENOMEM;
}

void process_on_channel_end(void *context)
{
	struct process *process = context;

	if (!process->was_asked || node_worker_runs_handler(process->node))
		return;
	timer_start(process->linger, node_worker_handles_disconnect(process->node)
					     ? LINGER_DISCONNECT_MS
					     : LINGER_MS);
}
