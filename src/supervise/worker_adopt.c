// SPDX-License-Identifier: MIT
/* Slots and workers that a previous controller left: the supervisor goes on with them. */
#include "supervise/worker_adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_messages.h"
#include "supervise/worker_start.h"

void supervisor_adopt_slot(struct supervisor *supervisor, uint32_t index,
			   const struct slot_record *record)
{
	struct slot_state *slot = supervisor->slots[index];

	slot->generation = record->generation;
	sticky_slot_adopt(supervisor->options.group, index, record->generation);
	slot->restarts = record->restarts;
	slot->killed = (uint32_t)record->killed;
	slot_set_mode(slot, record->mode < SLOT_MODE_COUNT && record->mode != SLOT_REMOVED
				    ? (enum slot_mode)record->mode
				    : SLOT_ENABLED);
}

/* How old a process is, in ms. */
static uint64_t age_of(const struct life_record *record)
{
	struct timespec now;
	uint64_t now_ms, start_ms;

	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	start_ms = record->process_start * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return now_ms > start_ms ? now_ms - start_ms : 0;
}

/* Put it where it belongs: it has the slot, or it only finishes what it has. */
static void place(struct worker *worker, bool has_slot)
{
	struct supervisor *supervisor = worker->slot->supervisor;
	struct slot_state *slot = worker->slot;

	if (!has_slot) {
		worker->state = WORKER_DRAINING;
		worker->next_draining = slot->draining;
		slot->draining = worker;
		timer_start(worker->timer, supervisor->config->hard_shutdown_delay_ms);
		return;
	}
	worker->state = WORKER_READY;
	worker->has_slot = true;
	if (life_channel_speaks(worker))
		life_channel_take_slot(worker);
	else
		report(STICKY_LOG_ERROR, "channel_lost",
		       "slot=%u so=\"connections that are passed wait for its next life\"",
		       slot->index);
	life_watch_sockets(worker, true);
	slot->current = worker;
	slot->was_ready = true;
	supervisor->started_count++;
	if (worker->watchdog)
		timer_start(worker->watchdog, worker->watchdog_ms);
}

static int adopt_sockets(struct worker *worker, const struct adopted_life *life)
{
	int result;

	if (life->fds[0] < 0)
		return 0; /* it has left its slot already */
	result = sticky_worker_adopt(worker->slot->supervisor->options.group, life->record.slot,
				     life->record.generation, life->fds, &worker->life);
	if (result == 0) {
		/* READY once, but another one has the slot: its sockets are not wanted here. */
		sticky_worker_close(worker->life);
		worker->life = NULL;
	}
	return result;
}

int supervisor_adopt(struct supervisor *supervisor, struct adopted_life *life)
{
	const struct runner *runner = &supervisor->options.runner;
	uint32_t index = life->record.slot;
	struct worker *worker;
	int error, has_slot;

	error = supervisor->slots[index] ? 0 : supervisor_add_slot(supervisor, index);
	if (!error && index >= supervisor->slot_count)
		slot_set_mode(supervisor->slots[index], SLOT_REMOVED);
	worker = error ? NULL : life_new(supervisor->slots[index], life->record.watchdog_ms);
	if (!worker)
		return -ENOMEM;
	worker->has_private = life->record.private_cookie != 0;
	if (life->private_fd >= 0 && worker->slot->private_fd < 0 &&
	    index < supervisor->slot_count) {
		worker->slot->private_fd = life->private_fd;
		life->private_fd = -1;
	}
	worker->generation = life->record.generation;
	worker->started_ms = clock_ms() - age_of(&life->record);
	has_slot = adopt_sockets(worker, life);
	error = has_slot < 0 ? has_slot
			     : runner->ops->adopt(runner->context, worker, life->record.pid,
						  life->pidfd, &worker->run);
	if (error) {
		sticky_worker_close(worker->life);
		life_free(worker);
		return error;
	}
	supervisor->worker_count++;
	supervisor->took_over = true;
	supervisor->workers_speak |= supervisor->options.slotsfile->content &&
				     supervisor->options.slotsfile->content->workers_speak;
	if (worker->channel && life->record.takes_passed) {
		channel_endpoint_set_speaks(worker->channel);
		supervisor_worker_takes_passed(worker, channel_endpoint_worker(worker->channel));
	}
	place(worker, has_slot > 0);
	worker->was_told = life->record.was_told;
	if (!has_slot && !worker->was_told && runner->ops->stop(worker->run))
		supervisor_worker_told(worker);
	life_note(worker);
	journal_add(supervisor->options.journal, STICKY_LOG_INFO, "worker_adopted",
		    json_pack("{s:i, s:s, s:I, s:i}", "slot", (int)index, "state",
			      pool_state_name(worker->state), "generation",
			      (json_int_t)worker->generation, "pid", (int)life->record.pid));
	return 0;
}
