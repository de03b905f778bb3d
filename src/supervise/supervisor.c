// SPDX-License-Identifier: MIT
#include "supervise/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error_text.h"
#include "common/log.h"
#include "supervise/foreign_listeners.h"
#include "supervise/rolling_reload.h"
#include "supervise/shutdown.h"
#include "supervise/slot_handover.h"
#include "supervise/slot_socket.h"
#include "supervise/handshake_wait.h"
#include "supervise/kept_sockets.h"
#include "supervise/socket_hangup.h"
#include "supervise/supervise_internal.h"
#include "supervise/steering_watch.h"
#include "supervise/worker_hang.h"
#include "supervise/worker_start.h"

#define SIZE_CHECK_MS 5000 /* --max-rss: how often memory is measured */

static void on_size_check(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *supervisor = context;
	const struct worker_backend *backend = &supervisor->options.backend;
	struct supervised_slot *slots[STICKY_SLOTS_LIMIT];
	void *handles[STICKY_SLOTS_LIMIT];
	struct run_usage *usages = calloc(supervisor->slot_count, sizeof(*usages));
	uint32_t count = 0, i;

	(void)fd;
	(void)what;
	for (i = 0; usages && i < supervisor->slot_count; i++) {
		struct supervised_slot *slot = supervisor->slots[i];

		if (!slot->current || slot->current->state != WORKER_READY)
			continue;
		slots[count] = slot;
		handles[count++] = slot->current->handle;
	}
	if (count)
		backend->ops->measure(backend->context, handles, count, usages);
	for (i = 0; i < count; i++)
		if (usages[i].rss_bytes > supervisor->config->reload.max_rss_bytes)
			rolling_reload_recycle(slots[i], "--max-rss");
	free(usages);
}

/* Let the slots without a worker hold or spill their connections, as --when-down now says. */
static void apply_when_down(struct supervisor *supervisor)
{
	bool spills = supervisor->config->waiting.when_down == WHEN_DOWN_SPILL;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		const struct worker *current = supervisor->slots[i]->current;

		if (!current || !current->has_slot)
			sticky_slot_set_away(supervisor->options.group, i, spills);
	}
	supervisor_flush_later(supervisor);
}

static void apply_times(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;

	hold_timeout_set_limits(supervisor->hold_timeout, config->waiting.max_retries,
				config->waiting.retry_delay_ms,
				(enum down_answer)config->waiting.down_answer);
	if (config->reload.max_rss_bytes) {
		struct timeval period = {.tv_sec = SIZE_CHECK_MS / 1000,
					 .tv_usec = SIZE_CHECK_MS % 1000 * 1000};

		if (event_add(supervisor->size_check, &period))
			report(STICKY_LOG_ERROR, "size_check_failed", "error=\"%s\"",
			       strerror(errno));
	} else {
		event_del(supervisor->size_check);
	}
}

void supervisor_set_config(struct supervisor *supervisor, const struct config *config)
{
	supervisor->config = config;
	apply_times(supervisor);
	apply_when_down(supervisor);
}

static void on_group_due(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *supervisor = context;

	(void)fd;
	(void)what;
	sticky_group_run(supervisor->options.group);
	if (supervisor_shares_sockets(supervisor))
		steering_watch_on_stray(supervisor->steering);
}

static void on_flush(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	slot_handover_apply_table(context);
}

/* Log once that all slots have been ready. */
static void note_started(struct supervisor *supervisor)
{
	if (supervisor->has_started || !slots_all_were_ready(supervisor))
		return;
	supervisor->has_started = true;
	journal_add(supervisor->options.journal, STICKY_LOG_INFO, "started",
		    json_pack("{s:i, s:I}", "slots", (int)supervisor->slot_count, "after_ms",
			      (json_int_t)(clock_ms() - supervisor->started_ms)));
}

static void on_slot_ready(struct supervised_slot *slot)
{
	note_started(slot->supervisor);
	rolling_reload_note_ready(slot);
}

static void on_worker_gone(struct supervisor *supervisor)
{
	rolling_reload_note_gone(supervisor);
	rolling_reload_drive(supervisor); /* there may be room for its slot's next worker now */
}

static const struct lifecycle_hooks hooks = {
	.ready = on_slot_ready,
	.failed = rolling_reload_note_failed,
	.start_failed = shutdown_fail_start,
	.gone = on_worker_gone,
	.empty = shutdown_finish_if_empty,
	.wants_recycle = rolling_reload_recycle,
};

static int make_parts(struct supervisor *supervisor)
{
	const struct supervisor_options *options = &supervisor->options;
	uint32_t i;
	int error, fd = sticky_group_fd(options->group);

	if (fd < 0)
		return fd;
	supervisor->group_due =
		event_new(options->base, fd, EV_READ | EV_PERSIST, on_group_due, supervisor);
	if (!supervisor->group_due || event_add(supervisor->group_due, NULL))
		return -ENOMEM;
	error = hold_timeout_open(options->base, options->group, &options->held,
				  &supervisor->hold_timeout);
	if (!error)
		error = hangup_open(options->base, worker_on_hangup, &supervisor->hangup);
	if (!error)
		error = hang_open(supervisor, &supervisor->hang);
	if (!error)
		error = handshake_wait_open(supervisor, &supervisor->handshakes);
	if (!error)
		error = steering_watch_open(supervisor, &supervisor->steering);
	if (!error)
		error = foreign_listeners_open(supervisor, &supervisor->foreign);
	if (!error)
		error = kept_sockets_open(supervisor, &supervisor->kept);
	supervisor->flush = event_new(options->base, -1, 0, on_flush, supervisor);
	supervisor->size_check =
		event_new(options->base, -1, EV_PERSIST, on_size_check, supervisor);
	if (!error && (!supervisor->flush || !supervisor->size_check))
		error = -ENOMEM;
	for (i = 0; !error && i < supervisor->slot_count; i++)
		error = supervised_slot_add(supervisor, i);
	return error;
}

int supervisor_open(const struct supervisor_options *options, struct supervisor **ret_supervisor)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
	int error;

	if (!supervisor)
		return -ENOMEM;
	supervisor->options = *options;
	supervisor->hooks = &hooks;
	supervisor->slot_count = sticky_group_slots(options->group);
	error = make_parts(supervisor);
	if (error) {
		supervisor_close(supervisor);
		return error;
	}
	supervisor->config = options->config;
	apply_times(supervisor);
	*ret_supervisor = supervisor;
	return 0;
}

void supervisor_close(struct supervisor *supervisor)
{
	uint32_t i;

	if (!supervisor)
		return;
	kept_sockets_close(supervisor->kept);
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++) {
		if (!supervisor->slots[i])
			continue;
		event_free(supervisor->slots[i]->restart);
		slot_socket_close(supervisor->slots[i]);
		free(supervisor->slots[i]);
	}
	if (supervisor->group_due)
		event_free(supervisor->group_due);
	if (supervisor->flush)
		event_free(supervisor->flush);
	if (supervisor->size_check)
		event_free(supervisor->size_check);
	hold_timeout_close(supervisor->hold_timeout);
	hangup_close(supervisor->hangup);
	hang_close(supervisor->hang);
	handshake_wait_close(supervisor->handshakes);
	steering_watch_close(supervisor->steering);
	foreign_listeners_close(supervisor->foreign);
	free(supervisor);
}

int supervisor_open_slot_sockets(struct supervisor *supervisor, struct error_text *ret_error)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < supervisor->slot_count && !error; i++)
		error = slot_socket_open(supervisor->slots[i], ret_error);
	return error;
}

const struct histogram *supervisor_holding_waits(const struct supervisor *supervisor)
{
	return hold_timeout_waits(supervisor->hold_timeout);
}

static void watch_again(struct supervised_slot *slot)
{
	struct supervisor *supervisor = slot->supervisor;
	struct worker *current = slot->current;

	if (current && current->has_slot) {
		worker_pause_watch(current);
		worker_watch_sockets(current, true);
	} else if (!supervisor->stopping) {
		hold_timeout_unwatch(supervisor->hold_timeout, slot->index);
		supervised_slot_hold(supervisor, slot->index);
	}
	if (current)
		worker_note_sockets(current);
	if (slot->next)
		worker_note_sockets(slot->next);
}

void supervisor_listeners_changed(struct supervisor *supervisor)
{
	struct state_file_content *content = supervisor->options.state_file->content;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++)
		watch_again(supervisor->slots[i]);
	if (content)
		content->listeners = sticky_group_listener_count(supervisor->options.group);
	foreign_listeners_look(supervisor->foreign);
}

void supervisor_start(struct supervisor *supervisor)
{
	uint32_t i;

	supervisor->started_ms = clock_ms();
	/* true if all slots were taken over */
	supervisor->has_started = supervisor_has_started(supervisor);
	for (i = 0; i < supervisor->slot_count; i++)
		if (!supervisor->slots[i]->current) /* this slot was not taken over */
			supervised_slot_hold(supervisor, i);
	apply_when_down(supervisor);
	foreign_listeners_look(supervisor->foreign);
	if (supervisor->took_over)
		rolling_reload_fill(supervisor);
	for (i = 0; i < supervisor->slot_count && !supervisor->took_over; i++)
		slot_fill(supervisor->slots[i]);
}

bool supervisor_has_started(const struct supervisor *supervisor)
{
	return slots_all_were_ready(supervisor);
}

bool supervisor_took_over(const struct supervisor *supervisor)
{
	return supervisor->took_over;
}

json_t *supervisor_foreign_listeners(const struct supervisor *supervisor)
{
	return foreign_listeners_json(supervisor->foreign);
}

uint64_t supervisor_steering_restored(const struct supervisor *supervisor)
{
	return steering_watch_restored(supervisor->steering);
}

uint32_t supervisor_slots(const struct supervisor *supervisor)
{
	return supervisor->slot_count;
}

int supervisor_may_leave(const struct supervisor *supervisor, struct error_text *ret_error)
{
	uint32_t i;

	if (supervisor->stopping || supervisor->reload.state == RELOAD_RUNNING) {
		error_text_set(ret_error, "%s; try again when it is over",
			       supervisor->stopping ? "the instance is stopping"
						    : "a reload is running");
		return -EBUSY;
	}
	for (i = 0; i < supervisor->slot_count; i++) {
		const struct supervised_slot *slot = supervisor->slots[i];

		if (slot->current && slot->current->state == WORKER_READY && !slot->next)
			continue;
		error_text_set(
			ret_error,
			"slot %u has no ready worker: clients that wait for it would be lost", i);
		return -EBUSY;
	}
	return 0;
}
