// SPDX-License-Identifier: MIT
/* The messages of a worker: by sd_notify, Node.js's channel, or the channel for connections. */
#include "supervise/worker_messages.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/sanitize.h"
#include "common/timer.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"
#include "supervise/worker_timers.h"

void worker_stop_requested(struct worker *worker)
{
	worker->stop_requested = true;
	if (worker->record)
		worker->record->stop_requested = true;
}

void worker_started(struct worker *worker)
{
	/* If connections are passed, the announcement may come a moment later: see on_hello(). */
	if (supervisor_of(worker)->config->ready == READY_STARTED && worker_channel_speaks(worker))
		worker_become_ready(worker);
}

static void said_ready(struct worker *worker)
{
	supervisor_of(worker)->workers_speak = true;
	if (supervisor_of(worker)->options.state_file->content)
		supervisor_of(worker)->options.state_file->content->workers_speak = true;
	worker_become_ready(worker);
}

/* Returns true if this message of Node.js's channel means that the worker is ready. */
static bool is_ready_by(const struct worker *worker, enum worker_word word)
{
	uint32_t wanted = supervisor_of(worker)->config->ready;

	if (word == WORKER_SAYS_LISTENING)
		return wanted == READY_AUTO || wanted == READY_LISTENING;
	if (word != WORKER_SAYS_MESSAGE)
		return false;
	return wanted == READY_MESSAGE ||
	       (wanted == READY_AUTO &&
		config_worker_mode(supervisor_of(worker)->config) == WORKER_STICKY_LISTEN);
}

void worker_lost(struct worker *worker, enum end_reason reason)
{
	worker_end_because(worker, reason);
	backend_of(worker)->ops->kill(worker->handle);
}

void worker_not_ready(struct worker *worker, const char *what, const char *hint)
{
	snprintf(worker->not_ready_reason, sizeof(worker->not_ready_reason), "%s", what);
	worker->not_ready_hint = hint;
}

void worker_cannot_begin(struct worker *worker, const char *why)
{
	snprintf(worker->begin_error, sizeof(worker->begin_error), "%s", why);
}

void worker_lacks_listener(struct worker *worker, const char *address, bool had_it)
{
	const struct supervisor *supervisor = supervisor_of(worker);
	json_t *fields = worker_fields(worker);

	if (supervisor->reload.is_running[worker->slot->index])
		json_object_set_new(fields, "reload", json_integer(supervisor->reload_id));
	json_object_set_new(fields, "on", json_string(address));
	json_object_set_new(fields, "previous_did", json_boolean(had_it));
	json_object_set_new(fields, "so",
			    json_string("its clients go to other workers there, until it listens"));
	supervisor_note(supervisor_of(worker), had_it ? STICKY_LOG_WARN : STICKY_LOG_INFO,
			"not_listened_on", fields);
}

void worker_wants_out(struct worker *worker)
{
	if (worker->slot->current == worker && worker->state == WORKER_READY)
		supervisor_of(worker)->hooks->wants_recycle(worker->slot, "asked for");
}

void worker_said(struct worker *worker, enum worker_word word)
{
	if (word == WORKER_SAYS_BEGUN)
		worker->begun_ms = clock_ms();
	else
		worker->speaks = true;
	if (word == WORKER_SAYS_READY || is_ready_by(worker, word))
		said_ready(worker);
	else if (word == WORKER_SAYS_STOPS)
		worker_apply(worker, WORKER_SAYS_STOPPING);
	else if (worker->state == WORKER_STARTING)
		worker_start_ready_timer(worker);
	if (worker->watchdog && worker->state == WORKER_READY &&
	    (word == WORKER_SAYS_ALIVE || word == WORKER_SAYS_READY))
		timer_start(worker->watchdog, worker->watchdog_ms);
}

void worker_set_status(struct worker *worker, const char *status)
{
	snprintf(worker->status, sizeof(worker->status), "%s", status);
	text_clean_line(worker->status);
}
