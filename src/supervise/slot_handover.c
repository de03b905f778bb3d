// SPDX-License-Identifier: MIT
/* A worker gets its slot, and leaves it: the actions that follow an event. */
#include "supervise/slot_handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "rights/privilege.h"
#include "common/timer.h"
#include "supervise/handshake_wait.h"
#include "supervise/socket_hangup.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_exit.h"
#include "supervise/worker_hang.h"
#include "supervise/worker_messages.h"
#include "supervise/worker_start.h"
#include "supervise/worker_timers.h"

void supervised_slot_hold(struct supervisor *supervisor, uint32_t slot)
{
	/*
	 * If workers share sockets, a process of the slot accepts from the same socket, and may
	 * rely on it being blocking. The socket is then watched only if the slot has no process.
	 */
	if (supervisor_shares_sockets(supervisor)) {
		if (slot_has_worker(supervisor->slots[slot]))
			return;
		hold_timeout_unwatch(supervisor->hold_timeout, slot);
	}
	if (!supervisor->stopping && hold_timeout_watch(supervisor->hold_timeout, slot))
		report(STICKY_LOG_ERROR, "hold_timeout_failed", "slot=%u error=\"%s\"", slot,
		       strerror(ENOMEM));
}

static void watch_for_hangup(struct worker *worker, bool watch)
{
	struct hangup *hangup = supervisor_of(worker)->hangup;
	uint32_t i;
	int fd, error;

	for (i = 0; worker->sockets && i < STICKY_LISTENERS_LIMIT; i++) {
		error = 0;
		fd = sticky_worker_fd(worker->sockets, i);
		if (fd < 0)
			continue;
		if (watch)
			error = hangup_add(hangup, fd, worker);
		else
			hangup_remove(hangup, fd);
		if (error)
			report(STICKY_LOG_WARN, "socket_not_watched", "slot=%u error=\"%s\"",
			       worker->slot->index, strerror(-error));
	}
}

void worker_watch_sockets(struct worker *worker, bool watch)
{
	if (watch)
		hang_begin(supervisor_of(worker)->hang, worker);
	else
		hang_end(supervisor_of(worker)->hang, worker);
	watch_for_hangup(worker, watch);
}

void worker_pause_watch(struct worker *worker)
{
	hang_pause(supervisor_of(worker)->hang, worker);
	watch_for_hangup(worker, false);
}

void worker_on_hangup(void *who)
{
	struct worker *worker = who;

	unsigned int previous;
	int error;

	worker_watch_sockets(worker, false);
	/*
	 * If workers share sockets, clients of other slots may come to wrong workers until the
	 * repair.
	 */
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	error = sticky_group_repair(supervisor_of(worker)->options.group);
	privilege_restore(previous);
	if (error < 0)
		report(STICKY_LOG_ERROR, "repair_failed", "slot=%u error=\"%s\"",
		       worker->slot->index, strerror(-error));
	report(STICKY_LOG_ERROR, "socket_ended", "slot=%u pid=%d so=\"the worker is replaced\"",
	       worker->slot->index, pid_of(worker));
	worker_end_because(worker, END_NOT_LISTENING);
	/*
	 * The worker can't be asked to listen again. It is killed and replaced, as one that sends
	 * no WATCHDOG=1.
	 */
	worker_apply(worker, WORKER_FELL_SILENT);
}

/*
 * Returns true if a socket listens. One that was shut down must not listen again, as it is in no
 * map.
 */
static bool is_listening(int fd)
{
	int listens = 0;
	socklen_t length = sizeof(listens);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) && listens;
}

/* A second listen() changes nothing but the limit of the queue. */
void worker_restore_backlog(const struct worker *worker)
{
	int backlog = (int)supervisor_of(worker)->config->backlog, fd;
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		fd = sticky_worker_fd(worker->sockets, i);
		if (fd >= 0 && is_listening(fd) && listen(fd, backlog))
			report(STICKY_LOG_WARN, "backlog_kept", "slot=%u pid=%d error=\"%s\"",
			       worker->slot->index, pid_of(worker), strerror(errno));
	}
}

int worker_serve(struct worker *worker, uint32_t listener, bool serves)
{
	unsigned int previous;
	int error;

	/* A socket that is closed on purpose must not count as the worker's hang-up. */
	if (worker->has_slot)
		worker_pause_watch(worker);
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	error = sticky_worker_serve(worker->sockets, listener, serves);
	privilege_restore(previous);
	if (worker->has_slot)
		worker_watch_sockets(worker, true);
	worker_note_sockets(worker);
	return error;
}

/*
 * Note that the worker has the slot now, and end what was done for the slot while it had no worker.
 */
static void note_has_slot(struct worker *worker)
{
	struct supervised_slot *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;

	sticky_slot_set_away(supervisor->options.group, slot->index, false);
	supervisor_flush_later(supervisor);
	worker_start_watchdog(worker);
	if (!slot->was_ready)
		supervisor->started_count++;
	slot->was_ready = true;
	supervisor->hooks->ready(slot);
}

static void refuse(struct worker *worker, enum end_reason reason)
{
	worker_end_because(worker, reason);
	worker_apply(worker, WORKER_REFUSED);
}

static void take_slot(struct worker *worker)
{
	struct supervised_slot *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;
	struct worker *previous = slot->current == worker ? NULL : slot->current;
	int error;

	event_del(worker->timer);
	if (!worker_channel_speaks(worker)) {
		refuse(worker, END_TAKES_NO_CONNECTIONS);
		return;
	}
	hold_timeout_hand_over(supervisor->hold_timeout, slot->index);
	worker_restore_backlog(worker);
	error = sticky_worker_ready(worker->sockets);
	if (error) {
		/* The worker closed or shut down its socket: it can't serve. */
		report(STICKY_LOG_ERROR, "slot_refused",
		       "slot=%u pid=%d error=\"%s\" hint=\"the worker does not listen on what it "
		       "was given\"",
		       slot->index, pid_of(worker), strerror(-error));
		supervised_slot_hold(supervisor, slot->index);
		refuse(worker, END_NOT_LISTENING);
		return;
	}
	worker->has_slot = true;
	/*
	 * The channel takes the slot last: if the steps above fail, the previous worker keeps its
	 * connections of both kinds.
	 */
	worker_channel_take_slot(worker);
	worker_watch_sockets(worker, true);
	slot->current = worker;
	if (slot->next == worker)
		slot->next = NULL;
	if (previous) {
		previous->has_slot = false;
		worker_apply(previous, WORKER_SUPERSEDED);
	}
	note_has_slot(worker);
}

/*
 * Let the worker's sockets be closed at the end of this turn of the loop, after the table was
 * applied: the kernel moves their queues according to the table. Returns 0 or -ENOMEM.
 */
static int leave_later(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);
	struct leaving *leaving = malloc(sizeof(*leaving));

	if (!leaving)
		return -ENOMEM;
	*leaving = (struct leaving){.next = supervisor->leaving,
				    .sockets = worker->sockets,
				    .slot = worker->slot->index};
	supervisor->leaving = leaving;
	sticky_slot_set_away(supervisor->options.group, worker->slot->index, true);
	supervisor_flush_later(supervisor);
	return 0;
}

static bool spills(const struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);

	return worker->has_slot && supervisor->config->waiting.when_down == WHEN_DOWN_SPILL &&
	       !supervisor->stopping;
}

/* Hold the slot from now on. The worker's own sockets stay open, and it still accepts there. */
static void give_up_slot(struct worker *worker)
{
	unsigned int previous;

	worker->has_slot = false;
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	/* The library logs a failure: the worker's own sockets then hold the slot. */
	sticky_worker_leave(worker->sockets);
	privilege_restore(previous);
	if (worker->slot->mode != SLOT_REMOVED)
		supervised_slot_hold(supervisor_of(worker), worker->slot->index);
}

/*
 * Let no handshake begin on the worker's sockets from now on. With --when-down=spill this is
 * delayed until the table has been applied: see slot_handover_apply_table().
 */
static void yield_slot(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);

	if (worker->sockets)
		worker_watch_sockets(worker, false);
	/* In a stop no other worker gets the connections that wait to be passed. */
	if (worker->sockets && !supervisor->stopping)
		worker_channel_leave_slot(worker);
	if (spills(worker)) {
		sticky_slot_set_away(supervisor->options.group, worker->slot->index, true);
		supervisor_flush_later(supervisor);
	} else if (worker->has_slot) {
		give_up_slot(worker);
	}
	handshake_wait_begin(supervisor->handshakes, worker);
}

static void leave_slot(struct worker *worker)
{
	struct supervisor *supervisor = supervisor_of(worker);
	unsigned int previous;

	if (!worker->sockets)
		return;
	worker_watch_sockets(worker, false);
	worker_channel_leave_slot(worker);
	if (!spills(worker) || leave_later(worker)) {
		previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
		/* The library logs a failure to hold the slot by new sockets. */
		sticky_worker_close(worker->sockets);
		privilege_restore(previous);
		if (worker->has_slot && worker->slot->mode != SLOT_REMOVED)
			supervised_slot_hold(supervisor, worker->slot->index);
	}
	worker->sockets = NULL;
	worker->has_slot = false;
}

/* Take the slots from the workers that leave them with --when-down=spill. */
static void give_up_slots(struct supervisor *supervisor)
{
	struct worker *worker;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++)
		for (worker = supervisor->slots[i]->draining; worker;
		     worker = worker->next_draining)
			if (worker->state == WORKER_LEAVING && worker->has_slot)
				give_up_slot(worker);
}

void slot_handover_apply_table(struct supervisor *supervisor)
{
	struct leaving *leaving;
	unsigned int previous;
	int moved;

	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	moved = sticky_group_apply(supervisor->options.group);
	if (moved > 0 && supervisor->options.delivery)
		delivery_table_changed(supervisor->options.delivery);
	if (moved < 0)
		report(STICKY_LOG_ERROR, "table_failed", "error=\"%s\"", strerror(-moved));
	give_up_slots(supervisor);
	while ((leaving = supervisor->leaving)) {
		supervisor->leaving = leaving->next;
		sticky_worker_close(leaving->sockets);
		if (leaving->slot < supervisor->slot_count && !supervisor->stopping)
			supervised_slot_hold(supervisor, leaving->slot);
		free(leaving);
	}
	privilege_restore(previous);
}

static void stop_politely(struct worker *worker)
{
	if (backend_of(worker)->ops->stop(worker->handle))
		worker_stop_requested(worker);
}

void worker_become_ready(struct worker *worker)
{
	if (worker->state == WORKER_STARTING && worker->end_reason == END_NONE)
		worker_apply(worker, WORKER_BECAME_READY);
}

static void do_actions(struct worker *worker, unsigned int actions)
{
	struct supervisor *supervisor = supervisor_of(worker);
	struct supervised_slot *slot = worker->slot;

	if (actions & ACTION_TAKE_SLOT)
		take_slot(worker);
	if (actions & ACTION_YIELD_SLOT)
		yield_slot(worker);
	if (actions & ACTION_LEAVE_SLOT)
		leave_slot(worker);
	if (actions & ACTION_STOP_POLITELY)
		stop_politely(worker);
	if (actions & ACTION_START_DEADLINE)
		worker_start_deadline(worker);
	if (actions & ACTION_KILL && worker->handle)
		supervisor->options.backend.ops->kill(worker->handle);
	if (actions & ACTION_REPLACE)
		slot_fill(slot);
	if (actions & ACTION_RESTART)
		slot_schedule_restart(slot, clock_ms() - worker->started_ms);
}

void worker_apply(struct worker *worker, enum worker_event event)
{
	struct worker_step step = worker_fsm_step(worker->state, event);

	if (step.next != worker->state) {
		if (worker->state == WORKER_LEAVING)
			handshake_wait_cancel(supervisor_of(worker)->handshakes, worker);
		worker_set_state(worker, step.next);
		worker_note_state(worker, worker_event_name(event));
	}
	do_actions(worker, step.actions);
}
