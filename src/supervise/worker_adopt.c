// SPDX-License-Identifier: MIT
/* The supervisor takes over slots and workers that a previous controller left. */
#include "supervise/worker_adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timer.h"
#include "supervise/handshake_wait.h"
#include "supervise/kept_sockets.h"
#include "supervise/slot_handover.h"
#include "supervise/slot_socket.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_messages.h"
#include "supervise/worker_start.h"
#include "supervise/worker_timers.h"

void supervised_slot_adopt(struct supervisor *supervisor, uint32_t index,
			   const struct slot_record *record)
{
	struct supervised_slot *slot = supervisor->slots[index];

	slot->generation = record->generation;
	sticky_slot_adopt(supervisor->options.group, index, record->generation);
	slot->restarts = record->restarts;
	slot->killed = (uint32_t)record->killed;
	slot_set_mode(slot, record->mode < SLOT_MODE_COUNT && record->mode != SLOT_REMOVED
				    ? (enum slot_mode)record->mode
				    : SLOT_ENABLED);
}

/* Returns the age of a process, in ms. */
static uint64_t age_of(const struct worker_record *record)
{
	uint64_t now_ms = clock_boot_ms();
	uint64_t start_ms = record->process_start * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);

	return now_ms > start_ms ? now_ms - start_ms : 0;
}

/* Adopt a worker that was READY: it has its slot already, and keeps it. */
static void place_ready(struct worker *worker)
{
	struct supervised_slot *slot = worker->slot;

	worker_set_state(worker, WORKER_READY);
	worker->has_slot = true;
	if (worker_channel_speaks(worker))
		worker_channel_take_slot(worker);
	else
		report(STICKY_LOG_ERROR, "channel_lost",
		       "slot=%u so=\"connections that are passed wait for its next worker\"",
		       slot->index);
	worker_watch_sockets(worker, true);
	slot->current = worker;
	slot->was_ready = true;
	slot->supervisor->started_count++;
	if (worker->watchdog)
		timer_start(worker->watchdog, worker->watchdog_ms);
}

/*
 * Adopt a worker that does not have its slot any more: it serves its last connections. If it has
 * not been asked to stop, there may be handshakes on its sockets, which only its process still has.
 */
static void place_draining(struct worker *worker)
{
	if (worker->stop_requested) {
		worker_set_state(worker, WORKER_DRAINING);
		worker_start_deadline(worker);
		return;
	}
	worker_set_state(worker, WORKER_LEAVING);
	handshake_wait_begin(supervisor_of(worker)->handshakes, worker);
}

static bool has_sockets(const struct adopted_worker *adopted)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (adopted->fds[i] >= 0)
			return true;
	return false;
}

/* Returns 1 if the worker has its slot, 0 if it has left it, or -errno. */
static int adopt_sockets(struct worker *worker, const struct adopted_worker *adopted)
{
	uint32_t i;
	int result;

	if (!has_sockets(adopted))
		return 0;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		worker->not_held |= adopted->fds[i] < 0 ? 1u << i : 0;
	result = sticky_worker_adopt(supervisor_of(worker)->options.group, adopted->record.slot,
				     adopted->record.generation, adopted->fds, &worker->sockets);
	if (result == 0) {
		/*
		 * The worker was READY, but another worker has the slot: its sockets are not needed
		 * here.
		 */
		sticky_worker_close(worker->sockets);
		worker->sockets = NULL;
	}
	return result;
}

/* Make the worker, and its slot if that was scaled away. Returns NULL if memory is short. */
static struct worker *new_adopted(struct supervisor *supervisor, struct adopted_worker *adopted)
{
	uint32_t index = adopted->record.slot;
	struct worker *worker;

	if (!supervisor->slots[index] && supervised_slot_add(supervisor, index))
		return NULL;
	if (index >= supervisor->slot_count)
		slot_set_mode(supervisor->slots[index], SLOT_REMOVED);
	worker = worker_new(supervisor->slots[index], adopted->record.watchdog_ms);
	if (!worker)
		return NULL;
	worker->serialization = adopted->record.serialization;
	worker->has_private = adopted->record.private_cookie != 0;
	if (adopted->private_fd >= 0 && worker->slot->private_fd < 0 &&
	    index < supervisor->slot_count) {
		slot_socket_adopt(worker->slot, adopted->private_fd);
		adopted->private_fd = -1;
	}
	worker->is_adopted = true;
	worker->stop_requested = adopted->record.stop_requested;
	worker->generation = adopted->record.generation;
	worker->started_ms = clock_ms() - age_of(&adopted->record);
	memcpy(worker->cookies, adopted->record.cookies, sizeof(worker->cookies));
	return worker;
}

/* Take over the worker's sockets and its process. Returns a result of adopt_sockets(). */
static int adopt_process(struct worker *worker, struct adopted_worker *adopted)
{
	const struct worker_backend *backend = backend_of(worker);
	int has_slot = adopt_sockets(worker, adopted), error, pidfd = adopted->pidfd;

	if (has_slot < 0)
		return has_slot;
	adopted->pidfd = -1; /* the backend owns it from now on, even if adopt() fails */
	error = backend->ops->adopt(backend->context, worker, adopted->record.pid, pidfd,
				    &worker->handle);
	return error ? error : has_slot;
}

/*
 * Keep what the previous controller knew: whether workers send notifications, which also applies to
 * workers that are started later, and whether this one takes passed connections.
 */
static void adopt_knowledge(struct worker *worker, const struct worker_record *record)
{
	struct supervisor *supervisor = supervisor_of(worker);
	const struct state_file_content *content = supervisor->options.state_file->content;

	supervisor->took_over = true;
	supervisor->workers_speak |= content && content->workers_speak;
	if (worker->channel && record->takes_passed) {
		channel_endpoint_set_speaks(worker->channel);
		worker_takes_passed(worker, channel_endpoint_worker(worker->channel));
	}
}

int worker_adopt(struct supervisor *supervisor, struct adopted_worker *adopted)
{
	struct worker *worker = new_adopted(supervisor, adopted);
	int has_slot;

	if (!worker)
		return -ENOMEM;
	has_slot = adopt_process(worker, adopted);
	if (has_slot < 0) {
		sticky_worker_close(worker->sockets);
		worker_free(worker);
		return has_slot;
	}
	supervisor->worker_count++;
	adopt_knowledge(worker, &adopted->record);
	if (has_slot)
		place_ready(worker);
	else
		place_draining(worker);
	worker_note(worker);
	supervisor_note(supervisor, STICKY_LOG_INFO, "worker_adopted", worker_fields(worker));
	return 0;
}

void worker_adopt_dead(struct supervisor *supervisor, const struct worker_record *record)
{
	kept_sockets_look_for_record(supervisor->kept, record);
}
