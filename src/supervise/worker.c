// SPDX-License-Identifier: MIT
/* A worker: its state, its record in the state file, its timers. */
#include "supervise/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "supervise/supervise_internal.h"

uint32_t worker_slot(const struct worker *worker)
{
	return worker->slot->index;
}

bool worker_has_company(const struct worker *worker)
{
	const struct supervised_slot *slot = worker->slot;

	return (slot->current && slot->current != worker) || (slot->next && slot->next != worker) ||
	       (slot->draining && (slot->draining != worker || worker->next_draining));
}

struct sticky_worker *worker_sockets(const struct worker *worker)
{
	return worker->sockets;
}

bool worker_is_in_stop(const struct worker *worker)
{
	return supervisor_of(worker)->stopping;
}

bool worker_is_ready(const struct worker *worker)
{
	return worker->state == WORKER_READY && worker->slot->current == worker;
}

void worker_note_held(struct worker *worker, uint32_t held)
{
	worker->not_held = ~held;
	worker_note_sockets(worker);
}

void worker_excuse(struct worker *worker, uint32_t listeners)
{
	worker->excused = listeners;
}

bool worker_is_superseded(const struct worker *worker)
{
	const struct worker *current = worker->slot->current;

	return current && current != worker && current->state == WORKER_READY;
}

int32_t *worker_noted_pid(struct worker *worker)
{
	return worker->record ? &worker->record->pid : NULL;
}

uint64_t worker_generation(const struct worker *worker)
{
	return worker->generation;
}

bool worker_began_with_private(const struct worker *worker)
{
	return worker->has_private;
}

uint32_t worker_serialization(const struct worker *worker)
{
	return worker->serialization;
}

int worker_private_fd(const struct worker *worker)
{
	return worker->slot->private_fd;
}

/* The state as `status` shows it: see slot_view_state(). */
static const char *shown_state(const struct worker *worker)
{
	if (worker->state == WORKER_READY && worker->hang && worker->hang->is_hung)
		return "hung";
	return worker_state_name(worker->state);
}

json_t *worker_fields(const struct worker *worker)
{
	json_t *fields =
		json_pack("{s:i, s:s, s:I}", "slot", (int)worker->slot->index, "state",
			  shown_state(worker), "generation", (json_int_t)worker->generation);
	pid_t pid = pid_of(worker);

	if (pid)
		json_object_set_new(fields, "pid", json_integer(pid));
	return fields;
}

void worker_note_state(const struct worker *worker, const char *event)
{
	json_t *fields = worker_fields(worker);

	if (event) {
		json_object_set_new(fields, "on", json_string(event));
		json_object_set_new(fields, "after_ms",
				    json_integer((json_int_t)(clock_ms() - worker->started_ms)));
	}
	journal_add(supervisor_of(worker)->options.journal, STICKY_LOG_INFO, "worker_state",
		    fields);
}

static bool has_left(enum worker_state state)
{
	return state == WORKER_LEAVING || state == WORKER_DRAINING;
}

/*
 * In the state file a LEAVING worker is recorded as DRAINING. A controller that takes over reads
 * from stop_requested whether it has been asked to stop.
 */
static void record_state(struct worker *worker)
{
	if (worker->record)
		worker->record->state =
			worker->state == WORKER_LEAVING ? WORKER_DRAINING : worker->state;
}

void worker_set_state(struct worker *worker, enum worker_state next)
{
	bool leaves = has_left(next) && !has_left(worker->state);

	worker->state = next;
	record_state(worker);
	if (leaves)
		slot_move_to_draining(worker);
}

void worker_end_because(struct worker *worker, enum end_reason reason)
{
	if (worker->end_reason == END_NONE)
		worker->end_reason = reason;
}

/* Returns the SO_COOKIE of a socket; 0: there is no socket. */
static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length))
		return 0;
	return cookie;
}

bool worker_has_sockets(const struct worker *worker)
{
	uint32_t i;

	for (i = 0; worker->sockets && i < STICKY_LISTENERS_LIMIT; i++)
		if (sticky_worker_fd(worker->sockets, i) >= 0)
			return true;
	return false;
}

/* Record the sockets that a controller that takes over must find in the worker's process. */
static void record_sockets(const struct worker *worker, struct worker_record *record)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		record->cookies[i] = worker->not_held & 1u << i ? 0 : worker->cookies[i];
}

void worker_note_sockets(struct worker *worker)
{
	uint32_t i;

	for (i = 0; worker->sockets && i < STICKY_LISTENERS_LIMIT; i++)
		worker->cookies[i] = cookie_of(sticky_worker_fd(worker->sockets, i));
	if (worker->record)
		record_sockets(worker, worker->record);
}

void worker_note(struct worker *worker)
{
	struct worker_record *record = state_file_add(supervisor_of(worker)->options.state_file);
	socklen_t length;

	worker->record = record;
	worker_note_sockets(worker);
	if (!record)
		return;
	record->slot = worker->slot->index;
	record->generation = worker->generation;
	record->pid = pid_of(worker);
	record->watchdog_ms = worker->watchdog_ms;
	record->serialization = (uint16_t)worker->serialization;
	record->stop_requested = worker->stop_requested;
	if (record->pid)
		record->process_start = state_file_process_start(record->pid);
	record_state(worker);
	length = sizeof(record->private_cookie);
	if (worker->slot->private_fd >= 0)
		getsockopt(worker->slot->private_fd, SOL_SOCKET, SO_COOKIE, &record->private_cookie,
			   &length);
	record->takes_passed = worker->endpoint != NULL;
	record->stop_signal = (uint32_t)config_stop_signal(supervisor_of(worker)->config);
	state_file_publish(record);
}

uint64_t worker_hung_ms(const struct worker *worker, uint64_t now_ms)
{
	const struct worker_hang *hang = worker->hang;
	uint64_t most, age;
	uint32_t i;

	if (!hang || !hang->is_hung)
		return 0;
	most = hang_watch_age(&hang->passed, now_ms);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		age = hang_watch_age(&hang->sockets[i].watch, now_ms);
		most = age > most ? age : most;
	}
	return most;
}

static void free_timer(struct event *timer)
{
	if (timer)
		event_free(timer);
}

void worker_free(struct worker *worker)
{
	state_file_remove(worker->record);
	free_timer(worker->timer);
	free_timer(worker->watchdog);
	free_timer(worker->lifetime);
	channel_endpoint_close(worker->channel);
	if (worker->handle)
		backend_of(worker)->ops->release(worker->handle);
	free(worker);
}
