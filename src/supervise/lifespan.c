// SPDX-License-Identifier: MIT
/* How a life begins, what may end it, what it says, and how it ends: events for lives.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/timer.h"
#include "common/clock.h"
#include "supervise/lives.h"
#include "common/privilege.h"
#include "common/log.h"
#include "common/sanitize.h"

#define QUEUE_LOOK_MS 20 /* at a stop: how often a queue that is being served is looked at */

uint32_t worker_slot(const struct worker *worker)
{
	return worker->slot->index;
}

struct sticky_worker *worker_life(const struct worker *worker)
{
	return worker->life;
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

/* ---- Timers ----------------------------------------------------------------------- */

/* One that has spoken, or whose predecessors did, gets the time that it asks for. */
static bool is_ready_by_uptime(const struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);

	/* One that was to say that it takes passed connections, see passing.c, and has not. */
	if (supervisor->config->ready == READY_STARTED)
		return true;
	/* Node.js always speaks, but for what was written for sticky-listen; and that does so once.
	 */
	if (config_is_node(supervisor->config) &&
	    (config_worker_mode(supervisor->config) != WORKER_STICKY_LISTEN || !worker->begun_ms))
		return false;
	return supervisor->config->ready == READY_AUTO && !worker->speaks &&
	       !supervisor->workers_speak;
}

/* How long a STARTING worker may still take, in the mode that it is in by now. */
static void start_ready_timer(struct worker *worker)
{
	const struct config *config = supervisor_of(worker)->config;
	uint64_t limit =
		is_ready_by_uptime(worker) ? config->min_uptime_ms : config->ready_timeout_ms;
	uint64_t since = is_ready_by_uptime(worker) && worker->begun_ms ? worker->begun_ms
									: worker->started_ms;
	uint64_t age = clock_ms() - since;

	timer_start(worker->timer, age < limit ? limit - age : 0);
}

/* At a stop what waits in its queue is served first, as long as the deadline allows. */
static void look_at_queue(struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);
	uint64_t deadline = supervisor->stop_at_ms + supervisor->config->hard_shutdown_delay_ms;

	if ((sticky_worker_queue(worker->life) || life_channel_queue(worker)) &&
	    clock_ms() < deadline)
		timer_start(worker->timer, QUEUE_LOOK_MS);
	else
		life_apply(worker, WORKER_ASKED_TO_STOP);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (worker->state == WORKER_DRAINING) {
		supervisor_of(worker)->killed |= supervisor_of(worker)->stopping;
		slot_note_killed(worker->slot);
		life_apply(worker, WORKER_MUST_END);
	} else if (worker->state == WORKER_READY) {
		look_at_queue(worker);
	} else if (is_ready_by_uptime(worker)) {
		life_apply(worker, WORKER_BECAME_READY);
	} else if (clock_ms() - worker->started_ms <
		   supervisor_of(worker)->config->ready_timeout_ms) {
		/* Set when it was not known yet that these workers say so themselves. */
		start_ready_timer(worker);
	} else {
		worker->takes_none = !life_channel_speaks(worker);
		worker->timed_out = !worker->takes_none;
		life_apply(worker, WORKER_TIMED_OUT);
	}
}

static void on_silence(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	/* One that drains owes us no sign any more. */
	if (worker->state != WORKER_READY)
		return;
	worker->fell_silent = true;
	life_apply(worker, WORKER_FELL_SILENT);
}

static void on_lifetime(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (worker->slot->current == worker && worker->state == WORKER_READY)
		orders_recycle(worker->slot, "--max-lifetime");
}

static int make_timers(struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);
	struct event_base *base = supervisor->options.base;
	uint32_t random = 0;

	worker->timer = evtimer_new(base, on_timer, worker);
	if (!worker->timer)
		return -ENOMEM;
	if (worker->watchdog_ms) {
		worker->watchdog = evtimer_new(base, on_silence, worker);
		if (!worker->watchdog)
			return -ENOMEM;
	}
	if (supervisor->config->max_lifetime_ms) {
		worker->lifetime = evtimer_new(base, on_lifetime, worker);
		if (!worker->lifetime)
			return -ENOMEM;
		/* Where there is none all lives end together: no harm but the bunching. */
		if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
			random = 0;
		timer_start(worker->lifetime,
			    pool_jitter(supervisor->config->max_lifetime_ms, random));
	}
	return 0;
}

/* ---- Begin and end ---------------------------------------------------------------- */

static void free_timer(struct event *timer)
{
	if (timer)
		event_free(timer);
}

void life_free(struct worker *worker)
{
	slotsfile_remove(worker->record);
	free_timer(worker->timer);
	free_timer(worker->watchdog);
	free_timer(worker->lifetime);
	channel_endpoint_close(worker->channel);
	if (worker->run)
		runner_of(worker)->ops->release(worker->run);
	free(worker);
}

struct worker *life_new(struct slot_state *slot, uint32_t watchdog_ms)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->slot = slot;
	worker->channel_end = -1;
	worker->watchdog_ms = watchdog_ms;
	worker->started_ms = clock_ms();
	if (make_timers(worker)) {
		life_free(worker);
		return NULL;
	}
	return worker;
}

void slot_note(const struct slot_state *slot)
{
	struct slotsfile_content *content = slot->supervisor->options.slotsfile->content;

	if (!content)
		return;
	content->slot[slot->index] = (struct slot_record){
		.generation = slot->generation,
		.restarts = slot->restarts,
		.killed = slot->killed,
		.mode = slot->mode,
	};
}

void slot_set_mode(struct slot_state *slot, enum slot_mode mode)
{
	slot->mode = mode;
	slot_note(slot);
}

void life_note_sockets(struct worker *worker)
{
	struct life_record *record = worker->record;
	socklen_t length;
	uint32_t i;
	int fd;

	for (i = 0; record && worker->life && (fd = sticky_worker_fd(worker->life, i)) >= 0; i++) {
		length = sizeof(record->cookies[i]);
		getsockopt(fd, SOL_SOCKET, SO_COOKIE, &record->cookies[i], &length);
	}
}

/* One that was shut down must not listen again: it is in no map. */
static bool is_listening(int fd)
{
	int listens = 0;
	socklen_t length = sizeof(listens);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) && listens;
}

void life_restore_backlog(const struct worker *worker)
{
	int backlog = (int)supervisor_of(worker)->config->backlog, fd;
	uint32_t i;

	for (i = 0; (fd = sticky_worker_fd(worker->life, i)) >= 0; i++)
		if (is_listening(fd) && listen(fd, backlog))
			report(STICKY_LOG_WARN, "backlog_kept", "slot=%u pid=%d error=\"%s\"",
			       worker->slot->index, pid_of(worker), strerror(errno));
}

void life_note(struct worker *worker)
{
	struct life_record *record = slotsfile_add(supervisor_of(worker)->options.slotsfile);
	socklen_t length;

	if (!record)
		return;
	record->slot = worker->slot->index;
	record->generation = worker->generation;
	record->pid = pid_of(worker);
	record->state = worker->state;
	record->watchdog_ms = worker->watchdog_ms;
	record->was_told = worker->was_told;
	if (record->pid)
		record->process_start = slotsfile_process_start(record->pid);
	worker->record = record;
	life_note_sockets(worker);
	length = sizeof(record->private_cookie);
	if (worker->slot->private_fd >= 0)
		getsockopt(worker->slot->private_fd, SOL_SOCKET, SO_COOKIE, &record->private_cookie,
			   &length);
	record->takes_passed = worker->outlet != NULL;
	slotsfile_publish(record);
}

static int begin(struct worker *worker)
{
	const struct supervisor_options *options = &supervisor_of(worker)->options;
	unsigned int previous;
	int error;

	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	error = sticky_worker_open(options->group, worker->slot->index, &worker->life);
	privilege_restore(previous);
	if (error)
		return error;
	worker->generation = worker->slot->generation = sticky_worker_generation(worker->life);
	/* Noted before it is there: whoever is killed in between leaves nobody forgotten. */
	slot_note(worker->slot);
	life_note(worker);
	error = life_open_channel(worker);
	if (!error)
		error = options->runner.ops->start(options->runner.context, worker, worker->life,
						   &worker->run);
	life_close_channel_end(worker);
	if (!error && worker->record) {
		worker->record->pid = pid_of(worker);
		worker->record->process_start = slotsfile_process_start(worker->record->pid);
	}
	return error;
}

/* What the user can do about a life that could not even begin. */
static const char *begin_hint(int error)
{
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

void life_begin(struct slot_state *slot)
{
	struct worker *worker = life_new(slot, slot->supervisor->config->watchdog_ms);
	struct run_exit how = {.code = -1};
	int error;

	event_del(slot->restart);
	if (!worker) {
		slot_schedule_restart(slot, 0);
		return;
	}
	if (slot->current)
		slot->next = worker;
	else
		slot->current = worker;
	slot->supervisor->worker_count++;
	error = begin(worker);
	if (error) {
		/* A life that could not even begin counts as one that ended at once. */
		snprintf(how.text, sizeof(how.text), "could not be started: %s", strerror(-error));
		how.hint = begin_hint(error);
		worker->started_ms = clock_ms();
		supervisor_worker_exited(worker, &how);
		return;
	}
	life_note_state(worker, NULL);
	start_ready_timer(worker);
}

void slot_fill(struct slot_state *slot)
{
	if (slot->supervisor->stopping || slot->mode != SLOT_ENABLED || slot->current ||
	    slot->begin_after_exit)
		return;
	life_begin(slot);
}

/* It looked for a listening socket, perhaps, and there is none: its own words would not tell why.
 */
static bool missed_sockets(const struct worker *worker)
{
	return worker->state == WORKER_STARTING && worker->life &&
	       sticky_worker_fd(worker->life, 0) < 0 && worker->slot->private_fd < 0 &&
	       worker->channel && !channel_endpoint_speaks(worker->channel);
}

/* Why we ended it, where we did: the signal alone would not tell. */
static void describe_end(const struct worker *worker, struct run_exit *how)
{
	const struct config *config = supervisor_of(worker)->config;

	if (worker->timed_out) {
		snprintf(how->text, sizeof(how->text),
			 "did not get ready within %" PRIu32 " ms (--ready-timeout)%s%s",
			 config->ready_timeout_ms, worker->lacks[0] ? ": " : "", worker->lacks);
		how->hint = worker->lacks_hint ? worker->lacks_hint
					       : "it is waited for until it sends READY=1 to "
						 "NOTIFY_SOCKET; one that "
						 "never does wants --ready=started";
	} else if (worker->lost) {
		snprintf(how->text, sizeof(how->text), "%s", worker->lost);
	} else if (worker->takes_none) {
		snprintf(how->text, sizeof(how->text),
			 "takes no passed connections, and here they are passed (%s)",
			 config->behind_proxy == BEHIND_PROXY_XFF     ? "--behind-proxy=xff"
			 : config->behind_proxy == BEHIND_PROXY_PROXY ? "--behind-proxy=proxy"
								      : "steering by user");
		how->hint = "it wants sticky_process_open() of libsticky; or let the proxy choose "
			    "the worker, by --slot-listen";
	} else if (worker->takes_no_more) {
		snprintf(how->text, sizeof(how->text),
			 "closed the channel by which connections are passed to it");
		how->hint =
			"sticky_process_close() is for its end, behind sticky_process_stopping()";
	} else if (worker->is_deaf) {
		snprintf(how->text, sizeof(how->text),
			 "does not listen on the socket that it was given");
		how->hint = "it must accept from descriptor 3 on, and not shut it down";
	} else if (worker->fell_silent) {
		snprintf(how->text, sizeof(how->text),
			 "sent no WATCHDOG=1 for %" PRIu32 " ms (--watchdog)", worker->watchdog_ms);
	} else if (!how->hint && missed_sockets(worker)) {
		how->hint = "steering by user gives it no listening socket, its connections are "
			    "passed: it wants sticky_process_open() of libsticky; or CAP_BPF, or "
			    "--slot-listen";
	}
}

static void note_exit(struct worker *worker, const struct run_exit *how)
{
	struct slot_state *slot = worker->slot;
	uint64_t lifetime = clock_ms() - worker->started_ms;
	bool unasked = worker->state != WORKER_DRAINING;
	json_t *fields = life_fields(worker);

	slot->has_exit = true;
	slot->last_exit = *how;
	slot->last_lifetime_ms = lifetime;
	if (!slot->was_ready)
		slot->first_life_failed = true;
	json_object_set_new(fields, "how", json_string(how->text));
	json_object_set_new(fields, "after_ms", json_integer((json_int_t)lifetime));
	journal_add(slot->supervisor->options.journal, unasked ? STICKY_LOG_WARN : STICKY_LOG_INFO,
		    "worker_exit", fields);
}

/* Old-first: the slot is free for its new life. */
static void begin_successor(struct slot_state *slot)
{
	if (!slot->begin_after_exit || slot->draining)
		return;
	slot->begin_after_exit = false;
	slot_fill(slot);
}

void supervisor_worker_exited(struct worker *worker, const struct run_exit *exit)
{
	struct slot_state *slot = worker->slot;
	struct supervisor *supervisor = slot->supervisor;
	/* READY without the slot: take_slot() refused it. */
	bool was_starting = worker->state == WORKER_STARTING ||
			    (worker->state == WORKER_READY && !worker->has_slot);
	struct run_exit how = *exit;

	describe_end(worker, &how);
	text_clean(how.text);
	note_exit(worker, &how);
	life_forget(worker);
	supervisor->worker_count--;
	life_apply(worker, WORKER_EXITED);
	if (was_starting)
		orders_note_failed(slot, worker, &how);
	if (supervisor_has_start_failed(supervisor))
		supervisor_fail_start(supervisor, worker, &how);
	life_free(worker);
	sticky_slot_wake(supervisor->options.group, slot->index);
	begin_successor(slot);
	orders_note_gone(supervisor);
	supervisor_finish_if_empty(supervisor);
}

/* ---- What a worker says ------------------------------------------------------------ */

void supervisor_worker_started(struct worker *worker)
{
	/* One that takes passed connections says so a moment later: see on_hello(). */
	if (supervisor_of(worker)->config->ready == READY_STARTED && life_channel_speaks(worker) &&
	    worker->state == WORKER_STARTING)
		life_apply(worker, WORKER_BECAME_READY);
}

static void said_ready(struct worker *worker)
{
	supervisor_of(worker)->workers_speak = true;
	if (supervisor_of(worker)->options.slotsfile->content)
		supervisor_of(worker)->options.slotsfile->content->workers_speak = true;
	if (worker->state == WORKER_STARTING)
		life_apply(worker, WORKER_BECAME_READY);
}

/* Of Node.js's words, which one counts. */
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

void supervisor_worker_lost(struct worker *worker, const char *why)
{
	worker->lost = why;
	runner_of(worker)->ops->kill(worker->run);
}

void supervisor_worker_lacks(struct worker *worker, const char *what, const char *hint)
{
	snprintf(worker->lacks, sizeof(worker->lacks), "%s", what);
	worker->lacks_hint = hint;
}

void supervisor_worker_wants_out(struct worker *worker)
{
	if (worker->slot->current == worker && worker->state == WORKER_READY)
		orders_recycle(worker->slot, "asked for");
}

void supervisor_worker_said(struct worker *worker, enum worker_word word)
{
	if (word == WORKER_SAYS_BEGUN)
		worker->begun_ms = clock_ms();
	else
		worker->speaks = true;
	if (word == WORKER_SAYS_READY || is_ready_by(worker, word))
		said_ready(worker);
	else if (word == WORKER_SAYS_STOPS)
		life_apply(worker, WORKER_SAYS_STOPPING);
	else if (worker->state == WORKER_STARTING)
		start_ready_timer(worker);
	if (worker->watchdog && worker->state == WORKER_READY &&
	    (word == WORKER_SAYS_ALIVE || word == WORKER_SAYS_READY))
		timer_start(worker->watchdog, worker->watchdog_ms);
}

void supervisor_worker_status(struct worker *worker, const char *status)
{
	snprintf(worker->status, sizeof(worker->status), "%s", status);
	text_clean(worker->status);
}
