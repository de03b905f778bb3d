// SPDX-License-Identifier: MIT
/* How a worker begins: its sockets, its channel, its process. */
#include "supervise/worker_start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "rights/privilege.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_exit.h"
#include "supervise/worker_timers.h"

struct worker *worker_new(struct supervised_slot *slot, uint32_t watchdog_ms)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->slot = slot;
	worker->channel_end = -1;
	worker->watchdog_ms = watchdog_ms;
	worker->started_ms = clock_ms();
	if (worker_make_timers(worker)) {
		worker_free(worker);
		return NULL;
	}
	return worker;
}

static int begin(struct worker *worker)
{
	const struct supervisor_options *options = &supervisor_of(worker)->options;
	unsigned int previous;
	int error;

	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	error = sticky_worker_open(options->group, worker->slot->index, &worker->sockets);
	privilege_restore(previous);
	if (error)
		return error;
	worker->generation = worker->slot->generation = sticky_worker_generation(worker->sockets);
	/*
	 * The worker is recorded before it begins: if the controller is killed in between, the
	 * process can be found.
	 */
	slot_note(worker->slot);
	worker_note(worker);
	error = worker_open_channel(worker);
	if (!error)
		error = options->backend.ops->start(options->backend.context, worker,
						    worker->sockets, &worker->handle);
	worker_close_channel_end(worker);
	if (!error && worker->record) {
		worker->record->pid = pid_of(worker);
		worker->record->process_start = state_file_process_start(worker->record->pid);
	}
	return error;
}

/* Returns what the user can do about a worker that could not begin. */
static const char *begin_hint(const struct worker *worker, int error)
{
	if (worker->begin_error[0])
		return "--env-file, or env_file of the configuration, names this file";
	switch (error) {
	case -EAGAIN:
		return "no process or thread more is allowed: raise the limit (ulimit -u, or "
		       "pids.max of the cgroup)";
	case -EMFILE:
		return "too few descriptors: raise the limit (ulimit -n)";
	default:
		return "see 'stickyctl doctor'";
	}
}

void worker_begin(struct supervised_slot *slot)
{
	struct worker *worker = worker_new(slot, slot->supervisor->config->timing.watchdog_ms);
	struct run_exit how = {.code = -1};
	int error;

	event_del(slot->restart);
	/*
	 * From now on a process of the slot may accept from its sockets, and this process must not.
	 */
	if (supervisor_shares_sockets(slot->supervisor))
		hold_timeout_hand_over(slot->supervisor->hold_timeout, slot->index);
	if (!worker) {
		slot_schedule_restart(slot, 0);
		return;
	}
	worker->serialization = slot->supervisor->config->serialization;
	if (slot->current)
		slot->next = worker;
	else
		slot->current = worker;
	slot->supervisor->worker_count++;
	error = begin(worker);
	if (error) {
		/* A worker that could not begin counts as one that ended at once. */
		snprintf(how.text, sizeof(how.text), "could not be started: %.230s",
			 worker->begin_error[0] ? worker->begin_error : strerror(-error));
		how.hint = begin_hint(worker, error);
		worker->started_ms = clock_ms();
		worker_exited(worker, &how);
		return;
	}
	worker_note_state(worker, NULL);
	worker_start_ready_timer(worker);
}

/*
 * Returns true if the slot's next worker must wait until fewer workers are draining. A worker that
 * is replaced early (STOPPING=1, or `stickyctl drain` and `ready`) may leave more draining workers
 * than a reload would.
 */
static bool must_wait_for_room(struct supervised_slot *slot)
{
	bool waited = slot->waits_for_room;
	uint32_t limit = slot->supervisor->config->reload.max_draining;

	slot->waits_for_room = slot->draining_count > limit;
	if (slot->waits_for_room && !waited)
		supervisor_note(slot->supervisor, STICKY_LOG_WARN, "slot_waits",
				json_pack("{s:i, s:i, s:s}", "slot", (int)slot->index, "draining",
					  (int)slot->draining_count, "hint",
					  "its next worker begins when one of them has ended: "
					  "--max-draining"));
	return slot->waits_for_room;
}

void slot_fill(struct supervised_slot *slot)
{
	if (slot->supervisor->stopping || slot->mode != SLOT_ENABLED || slot->current ||
	    slot->begin_after_exit || must_wait_for_room(slot))
		return;
	worker_begin(slot);
}

static void on_restart(evutil_socket_t fd, short what, void *context)
{
	struct supervised_slot *slot = context;

	(void)fd;
	(void)what;
	slot->restarts++;
	slot_note(slot);
	slot_fill(slot);
}

int supervised_slot_add(struct supervisor *supervisor, uint32_t index)
{
	struct supervised_slot *slot = supervisor->slots[index];

	if (!slot) {
		slot = calloc(1, sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		slot->restart = evtimer_new(supervisor->options.base, on_restart, slot);
		if (!slot->restart) {
			free(slot);
			return -ENOMEM;
		}
		slot->private_fd = -1;
		slot->private_path = UNIX_PATH_NONE;
		supervisor->slots[index] = slot;
	}
	slot->supervisor = supervisor;
	slot->index = index;
	slot->delay_ms = 0;
	slot_set_mode(slot, SLOT_ENABLED);
	return 0;
}
