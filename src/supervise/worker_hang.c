// SPDX-License-Identifier: MIT
#include "supervise/worker_hang.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/timer.h"
#include "procfs/process_state.h"
#include "policy/hang_cause.h"
#include "listen/listeners.h"
#include "listen/queue_alarm.h"
#include "supervise/hang_lists.h"
#include "supervise/slot_handover.h"
#include "supervise/socket_check.h"
#include "supervise/supervise_internal.h"
#include "supervise/unused_sockets.h"
#include "supervise/worker_channel.h"

#define LOOK_MIN_MS 10
#define LOOK_MAX_MS 500
/*
 * The longest rest while nothing waits. These looks are for connections that are passed, and for a
 * socket by whose options the worker has cut off its clients: only a look at the options shows
 * that. With 1,024 slots such a look takes 3.4 ms: 0.1 % of a processor.
 */
#define IDLE_MAX_MS 3000
/*
 * A look at many connections takes long. The next look is delayed so that all looks together need
 * at most a tenth of a CPU.
 */
#define REST_FACTOR 10

struct hang {
	struct supervisor *supervisor;
	struct event *timer;
	struct queue_alarm *alarm;
	bool is_alarm_armed;
	bool list_failed; /* the last list could not be made, and this was logged */
};

static uint64_t timeout_of(const struct hang *hang)
{
	return hang->supervisor->config->timing.hang_timeout_ms;
}

/* ---- What a worker does, and what is done about it ------------------------------------- */

static enum hang_cause cause_of(const struct worker *worker, uint64_t now_ms)
{
	const struct worker_hang *state = worker->hang;
	struct process_state now = {0};

	if (process_state_read(pid_of(worker), &now))
		return HANG_SLEEPS;
	return hang_cause_of(now.letter, now.cpu_ms - state->cpu_ms, now_ms - state->cpu_at_ms);
}

static void note_hung(const struct worker *worker, enum hang_cause cause, uint64_t hung_ms,
		      const char *so)
{
	json_t *fields = worker_fields(worker);

	json_object_set_new(fields, "state", json_string("hung"));
	json_object_set_new(fields, "how", json_string(hang_cause_text(cause)));
	json_object_set_new(fields, "waiting",
			    json_integer((json_int_t)sticky_worker_queue(worker->sockets) +
					 worker_channel_queue(worker)));
	json_object_set_new(fields, "hung_ms", json_integer((json_int_t)hung_ms));
	json_object_set_new(fields, "so", json_string(so));
	json_object_set_new(fields, "hint", json_string(hang_cause_hint(cause)));
	supervisor_note(supervisor_of(worker), STICKY_LOG_WARN, "worker_hung", fields);
}

static void set_away(struct worker *worker, bool is_away)
{
	struct supervisor *supervisor = supervisor_of(worker);

	if (worker->hang->is_away == is_away)
		return;
	worker->hang->is_away = is_away;
	sticky_slot_set_away(supervisor->options.group, worker->slot->index, is_away);
	supervisor_flush_later(supervisor);
}

static void on_hung(struct worker *worker, uint64_t now_ms)
{
	static const char *const so[ON_HANG_COUNT] = {
		[ON_HANG_REPORT] = "its clients wait until it accepts them, or is replaced",
		[ON_HANG_SPILL] = "the slot's new clients go to other slots until it accepts again",
		[ON_HANG_RESTART] = "it is killed and replaced, its clients get the next worker",
	};
	uint32_t action = supervisor_of(worker)->config->timing.on_hang;

	worker->hang->is_hung = true;
	note_hung(worker, unused_sockets_cause(worker, cause_of(worker, now_ms)),
		  worker_hung_ms(worker, now_ms), so[action]);
	if (action == ON_HANG_SPILL)
		set_away(worker, true);
	if (action != ON_HANG_RESTART)
		return;
	worker_end_because(worker, END_HUNG);
	worker_apply(worker, WORKER_FELL_SILENT);
}

static void on_recovered(struct worker *worker)
{
	worker->hang->is_hung = false;
	set_away(worker, false);
	supervisor_note(supervisor_of(worker), STICKY_LOG_INFO, "worker_recovered",
			worker_fields(worker));
}

static bool has_hung_queue(const struct worker_hang *state)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		/* For a closed socket, socket_check_closed() decides. */
		if (state->sockets[i].watch.is_hung && !state->sockets[i].closed_since_ms)
			return true;
	return state->passed.is_hung;
}

static void act(struct worker *worker, uint64_t now_ms)
{
	bool is_hung = has_hung_queue(worker->hang);

	if (is_hung && !worker->hang->is_hung)
		on_hung(worker, now_ms);
	else if (!is_hung && worker->hang->is_hung)
		on_recovered(worker);
}

/* ---- Looks -------------------------------------------------------------------------------- */

/* Look at a listening socket. Returns true if connections wait in its queue. */
static bool look_at_socket(struct worker *worker, uint32_t listener, int fd, uint64_t now_ms)
{
	struct watched_socket *socket = &worker->hang->sockets[listener];
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	/* On a listening socket tcpi_unacked is the queue's length, and tcpi_sacked its limit. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		return false;
	if (worker->excused & 1u << listener)
		info.tcpi_unacked = 0;
	hang_watch_queue(&socket->watch, now_ms, info.tcpi_unacked);
	socket_restore(worker, socket, fd, info.tcpi_sacked, now_ms);
	return info.tcpi_unacked;
}

static bool look_at_passed(const struct hang *hang, struct worker *worker, uint64_t now_ms)
{
	uint32_t queue = worker_channel_queue(worker);

	if (worker->endpoint)
		hang_watch_count(&worker->hang->passed, now_ms, timeout_of(hang), queue,
				 worker_endpoint_accepted_count(worker->endpoint));
	return queue;
}

/* Look at all queues of a worker. Returns true if connections wait for it. */
static bool look_at_worker(const struct hang *hang, struct worker *worker, uint64_t now_ms)
{
	bool waits = look_at_passed(hang, worker, now_ms);
	enum hang_cause cause;
	uint32_t i;
	int fd;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		fd = sticky_worker_fd(worker->sockets, i);
		if (fd >= 0)
			waits |= look_at_socket(worker, i, fd, now_ms);
	}
	cause = socket_check_cut_off(worker, now_ms);
	if (cause == HANG_CAUSE_COUNT)
		return waits;
	note_hung(worker, cause, 0, "its slot is held, and its next worker begins");
	if (cause != HANG_BOUND_SOCKET || !socket_check_end_shared(worker))
		worker_apply(worker, WORKER_CLOSED_SOCKET);
	return waits;
}

/* Look at all workers. Returns true if connections wait for any of them. */
static bool look(struct hang *hang, uint64_t now_ms)
{
	struct supervisor *supervisor = hang->supervisor;
	struct worker *worker;
	bool waits = false;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		worker = hang_watched(supervisor, i);
		if (worker)
			waits |= look_at_worker(hang, worker, now_ms);
	}
	hang_lists_look(supervisor, now_ms, &hang->list_failed);
	for (i = 0; i < supervisor->slot_count; i++) {
		worker = hang_watched(supervisor, i);
		if (worker)
			act(worker, now_ms);
	}
	return waits;
}

/* ---- When to look --------------------------------------------------------------------------- */

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static uint64_t look_rest_ms(const struct hang *hang)
{
	uint64_t timeout_ms = timeout_of(hang);

	return timeout_ms ? clamp(timeout_ms / 4, LOOK_MIN_MS, LOOK_MAX_MS) : LOOK_MAX_MS;
}

static void rest_while_idle(struct hang *hang)
{
	uint64_t timeout_ms = timeout_of(hang);

	timer_start(hang->timer, timeout_ms ? clamp(timeout_ms / 2, look_rest_ms(hang), IDLE_MAX_MS)
					    : IDLE_MAX_MS);
	if (hang->is_alarm_armed)
		return;
	hang->is_alarm_armed = !queue_alarm_arm(hang->alarm);
	if (!hang->is_alarm_armed)
		report(STICKY_LOG_WARN, "queue_not_watched", "error=\"%s\"", strerror(ENOMEM));
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct hang *hang = context;
	uint64_t now_ms = clock_ms(), rest_ms;

	(void)fd;
	(void)what;
	if (hang->supervisor->stopping)
		return;
	if (!look(hang, now_ms)) {
		rest_while_idle(hang);
		return;
	}
	rest_ms = (clock_ms() - now_ms) * REST_FACTOR;
	timer_start(hang->timer, rest_ms > look_rest_ms(hang) ? rest_ms : look_rest_ms(hang));
}

static void on_alarm(void *context)
{
	struct hang *hang = context;

	hang->is_alarm_armed = false;
	timer_start(hang->timer, look_rest_ms(hang));
}

int hang_open(struct supervisor *supervisor, struct hang **ret_hang)
{
	struct hang *hang = calloc(1, sizeof(*hang));
	int error;

	if (!hang)
		return -ENOMEM;
	hang->supervisor = supervisor;
	hang->timer = evtimer_new(supervisor->options.base, on_timer, hang);
	error = hang->timer
			? queue_alarm_open(supervisor->options.base, on_alarm, hang, &hang->alarm)
			: -ENOMEM;
	if (error) {
		hang_close(hang);
		return error;
	}
	*ret_hang = hang;
	return 0;
}

void hang_close(struct hang *hang)
{
	if (!hang)
		return;
	if (hang->timer)
		event_free(hang->timer);
	queue_alarm_close(hang->alarm);
	free(hang);
}

/* ---- Which workers are looked at --------------------------------------------------------- */

static void begin_socket(const struct hang *hang, struct worker *worker, uint32_t listener, int fd)
{
	struct watched_socket *socket = &worker->hang->sockets[listener];
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);
	int error = queue_alarm_add(hang->alarm, fd);

	if (error)
		report(STICKY_LOG_WARN, "queue_not_watched", "slot=%u error=\"%s\"",
		       worker->slot->index, strerror(-error));
	if (socket->limit)
		return; /* known from before hang_pause() */
	if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		socket->limit = info.tcpi_sacked;
	socket_check_begin(worker, socket, fd);
}

static void forget_socket(struct watched_socket *socket)
{
	hang_watch_fini(&socket->watch);
	*socket = (struct watched_socket){0};
}

void hang_begin(struct hang *hang, struct worker *worker)
{
	uint32_t i;
	int fd;

	if (!worker->hang)
		worker->hang = calloc(1, sizeof(*worker->hang));
	if (!worker->hang) {
		report(STICKY_LOG_WARN, "queue_not_watched", "slot=%u error=\"%s\"",
		       worker->slot->index, strerror(ENOMEM));
		return;
	}
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		fd = sticky_worker_fd(worker->sockets, i);
		if (fd >= 0)
			begin_socket(hang, worker, i, fd);
		else
			forget_socket(&worker->hang->sockets[i]);
	}
	if (!evtimer_pending(hang->timer, NULL))
		rest_while_idle(hang);
}

void hang_pause(struct hang *hang, struct worker *worker)
{
	uint32_t i;
	int fd;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		fd = sticky_worker_fd(worker->sockets, i);
		if (fd >= 0)
			queue_alarm_remove(hang->alarm, fd);
	}
}

void hang_end(struct hang *hang, struct worker *worker)
{
	uint32_t i;

	if (!worker->hang)
		return;
	hang_pause(hang, worker);
	worker->was_hung = worker->hang->is_hung;
	set_away(worker, false);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		forget_socket(&worker->hang->sockets[i]);
	hang_watch_fini(&worker->hang->passed);
	free(worker->hang);
	worker->hang = NULL;
}
